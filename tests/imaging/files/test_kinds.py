"""Files that people have and that Pillow alone does not read, or reads as what they are not."""

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from inversenet_tf.imaging.files.images import ImageReadError
from inversenet_tf.imaging.files.listing import list_images, report_other_files
from inversenet_tf.imaging.files.photographs import read_photograph

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


@pytest.mark.parametrize("name", ["IMG_1.CR2", "a.nef", "b.dng", "c.arw"])
def test_a_raw_file_is_refused_though_it_holds_a_small_picture(tmp_path, name):
    Image.fromarray(PIXELS).save(tmp_path / name, "TIFF")
    with pytest.raises(ImageReadError, match=f"{name}: a camera's raw file.*develop it first"):
        read_photograph(tmp_path / name)


def test_a_raw_file_by_another_name(tmp_path):
    version = (50706, "B", 4, b"\x01\x04\x00\x00", True)
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", extratags=[version])
    with pytest.raises(ImageReadError, match="a.tif: a camera's raw file"):
        read_photograph(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.exr", "b.png"])
def test_unlimited_range_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"v/1\x01" + bytes(60))
    with pytest.raises(ImageReadError, match=rf"{name}: an image of unlimited range \(EXR, HDR\)"):
        read_photograph(tmp_path / name)


def test_a_folder_with_raw_files_says_why_they_are_left_out(tmp_path, warned):
    for name in ("a.cr3", "b.NEF", "c.exr", "notes.txt", "d.png"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["d.png"]
    report_other_files(tmp_path)
    assert "1 file without an image suffix ignored" in warned()
    assert "2 files ignored (a.cr3 first): a camera's raw file" in warned()
    assert "1 file ignored (c.exr first): an image of unlimited range" in warned()


def test_heic_without_its_reader_names_it(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "OPEN", {k: v for k, v in Image.OPEN.items() if k != "HEIF"})
    with pytest.raises(ImageReadError, match="a.heic: .*pip install pillow-heif"):
        read_photograph(tmp_path / "a.heic")


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_heic_and_avif_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    smooth = Image.fromarray(PIXELS[:4, :4]).resize((64, 48), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    if suffix == "heic":
        pytest.importorskip("pillow_heif").from_pillow(smooth).save(
            path, quality=95, exif=exif.tobytes(), xmp=b"<xmp/>"
        )
    elif "AVIF" not in Image.SAVE:
        pytest.skip("a Pillow without AVIF")
    else:
        smooth.save(path, quality=95, exif=exif, xmp=b"<xmp/>")
    photograph = read_photograph(path)
    difference = photograph.pixels.astype(int) - np.rot90(np.asarray(smooth), -1)
    assert np.abs(difference).mean() < 6
    assert b"Maker" in photograph.exif and photograph.xmp == b"<xmp/>"


def test_a_missing_file_is_told_as_missing(tmp_path):
    with pytest.raises(ImageReadError, match="absent.heic: .*No such file"):
        read_photograph(tmp_path / "absent.heic")
