"""Photographs of formats that are not read are named as what they are."""

import numpy as np
import pytest

from inversenet_tf.imaging.files.images import (
    ImageReadError,
    list_images,
    read_image,
    report_other_files,
    write_image,
)


def test_they_are_counted_by_kind(tmp_path, caplog):
    for name in ("a.HEIC", "b.heif", "c.cr2", "notes.txt"):
        (tmp_path / name).write_bytes(b"content")
    with pytest.raises(ValueError, match="Received: 4 files, HEIC and other and raw"):
        list_images(tmp_path)
    write_image(tmp_path / "d.png", np.zeros((4, 4, 3)))
    assert [path.name for path in list_images(tmp_path)] == ["d.png"]
    report_other_files(tmp_path)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "2 HEIC files ignored: to be converted first.",
        "1 raw file ignored: to be converted first.",
        "1 file without an image's suffix ignored.",
    ]


@pytest.mark.parametrize("name, kind", [("a.heic", "a HEIC file"), ("a.NEF", "a raw file")])
def test_one_is_named_in_its_error(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(ImageReadError, match=kind):
        read_image(tmp_path / name)
