"""Files that claim more than they hold, or more than there is memory for: one line, no memory."""

import io
import os
import struct
import threading
import zipfile
import zlib

import numpy as np
import psutil
import pytest
from fake_restorers import FakeRestorer
from PIL import Image, PngImagePlugin

from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.imaging.files import images as files
from inversenet_tf.imaging.files import listing
from inversenet_tf.imaging.files.arrays import read_array, read_arrays
from inversenet_tf.imaging.files.headers import decoded_bytes
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_field, read_json
from inversenet_tf.imaging.files.memory import Budget
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.restoration.photographs import restore_files

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def claiming(kind, width, height):
    """An image file of 16x16 pixels whose header says otherwise."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind)
    content = bytearray(file.getvalue())
    if kind == "PNG":
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif kind == "JPEG":
        place = content.index(b"\xff\xc0") + 5
        content[place : place + 4] = struct.pack(">HH", height, width)
    else:
        content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


@pytest.fixture
def decodes_nothing(monkeypatch):
    def load(image):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)


@pytest.fixture
def little_memory(monkeypatch):
    """A machine with 400 MB free."""
    free = psutil.virtual_memory()._replace(available=400_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)


@pytest.mark.parametrize(
    "read",
    [files.read_image, files.decoded_size, files.upright_size, read_photograph],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_a_claim_that_a_file_cannot_hold_is_refused_undecoded(
    kind, read, tmp_path, decodes_nothing
):
    path = tmp_path / f"claims.{kind.lower()}"
    path.write_bytes(claiming(kind, 12_000, 12_000))
    with pytest.raises(
        files.ImageReadError, match="claims.*claims 12000x12000 pixels.*cannot hold"
    ):
        read(path)


def test_more_pixels_than_memory_are_refused_undecoded(tmp_path, decodes_nothing, little_memory):
    Image.new("1", (30_000, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(files.ImageReadError, match="large.png.*would take 0.28 GiB.*half of what"):
        files.read_image(tmp_path / "large.png", channels=1)


def test_restoring_asks_the_header_before_it_decodes(tmp_path, decodes_nothing):
    Image.new("RGB", (3000, 2000)).save(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="photo.png: Expected a max_memory of at least .* MiB"):
        restore_files(FakeRestorer(), tmp_path / "photo.png", tmp_path / "out", max_memory=2**20)


def test_folders_are_checked_within_a_budget(tmp_path, monkeypatch):
    """However many threads there are, together they decode no more than the budget."""
    for index in range(12):
        Image.fromarray(PIXELS).save(tmp_path / f"{index}.png")
    taken, most, lock = [0], [0], threading.Lock()
    load = files.check_range

    def counted(image):
        size = decoded_bytes(image)
        with lock:
            taken[0] += size
            most[0] = max(most[0], taken[0])
        values = load(image)
        with lock:
            taken[0] -= size
        return values

    monkeypatch.setattr(files, "check_range", counted)
    monkeypatch.setattr(listing, "CHECK_BYTES", 2 * 4 * 16 * 16)
    sizes, faults = listing.inspect_images(listing.list_images(tmp_path))
    assert len(sizes) == 12 and not faults
    assert most[0] <= 2 * 4 * 16 * 16


def test_what_is_larger_than_a_budget_gets_all_of_it():
    budget = Budget(10)
    with budget.taken(10**9):
        pass
    with budget.taken(5), budget.taken(5):
        pass


def test_a_large_jpeg_is_checked_at_an_eighth_of_its_size(tmp_path):
    Image.new("RGB", (800, 640)).save(tmp_path / "a.jpg")
    asked = []

    class Asked(Budget):
        def taken(self, needed):
            asked.append(needed)
            return super().taken(needed)

    assert files.decoded_size(tmp_path / "a.jpg", budget=Asked(2**20)) == (640, 800)
    assert asked == [4 * 100 * 80]


def test_a_png_with_much_text_is_an_image_for_all(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "layers " * 500_000, zip=True)
    Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=text)
    np.testing.assert_array_equal(to_uint8(files.read_image(tmp_path / "a.png")), PIXELS)
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.png").pixels, PIXELS)


def npy(shape, dtype="<f8", content=b"", order="False"):
    header = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((5_000_000_000,)), "cannot hold"),
        (npy((2**40, 2**40)), "cannot hold"),
        (npy((0, 3)), "every axis"),
        (npy((-1,), content=bytes(8)), "every axis"),
        (npy((2,), "|O", bytes(16)), "real numbers"),
        (npy((2,), "<U4", bytes(32)), "real numbers"),
        (npy((2,), "<c8", bytes(16)), "real numbers"),
        (npy("((" * 4000), "Cannot read"),
        (b"", "Cannot read"),
        (b"PK\x03\x04", "Cannot read"),
    ],
)
def test_arrays_that_are_none_are_refused_by_their_header(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=f"a.npy: .*{message}|{message} .*a.npy"):
        read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("values", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)[1:])])
def test_arrays_are_read_as_numpy_reads_them(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), values)
    np.savez_compressed(tmp_path / "a.npz", one=values, two=values + 1)
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["two"], values + 1)


@pytest.mark.parametrize("read", [read_arrays, load_keras])
def test_what_unpacks_to_more_than_there_is_memory_for(read, tmp_path, little_memory):
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, bytes(60_000_000))
    with pytest.raises(ValueError, match="bomb.keras.*packed in it would take 0.34 GiB"):
        read(tmp_path / "bomb.keras")


def keras_file(path, config):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", '{"keras_version": "3.8.0"}')
        archive.writestr("model.weights.h5", b"")
    return path


def test_a_keras_file_ends_in_one_line(tmp_path):
    nested = '{"a": ' * 100_000 + "1" + "}" * 100_000
    for content in (nested, "[]", '{"module": "os", "class_name": "system"}'):
        with pytest.raises(ValueError, match="Cannot read the Keras file .*m.keras") as error:
            load_keras(keras_file(tmp_path / "m.keras", content))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        np.full((4, 4), 65_536, np.int32),
        np.full((4, 4), -1, np.int32),
        np.full((4, 4), 0.5, np.float32),
        np.full((4, 4), 65_535, np.int32),
        np.full((4, 4), 65_535, np.uint16),
    ],
)
def test_training_and_restoring_agree_on_deep_pixels(values, tmp_path):
    """What either takes, both take for the same; what one refuses, the other refuses alike."""
    Image.fromarray(values).save(tmp_path / "deep.tif")
    if values.max() == 65_535:
        assert (files.read_image(tmp_path / "deep.tif") == 1).all()
        assert (read_photograph(tmp_path / "deep.tif").pixels == 65_535).all()
        assert files.decoded_size(tmp_path / "deep.tif") == (4, 4)
        return
    said = set()
    for read in (files.read_image, read_photograph, files.decoded_size):
        with pytest.raises(files.ImageReadError, match="deep.tif: .*whose range is not") as error:
            read(tmp_path / "deep.tif")
        said.add(str(error.value))
    assert len(said) == 1


@pytest.mark.parametrize("read", [read_image, read_array, read_arrays, read_json])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a pipe, a socket or a device"):
        read(tmp_path / "a.png")


def test_a_json_file_of_the_wrong_kind_is_told_in_a_short_line(tmp_path):
    (tmp_path / "a.json").write_text(str(list(range(100_000))))
    with pytest.raises(ValueError, match="Expected a JSON object in .* Received: ") as caught:
        read_json(tmp_path / "a.json")
    assert len(str(caught.value)) < len(str(tmp_path)) + 200


@pytest.mark.parametrize("read", [read_image, read_array, read_arrays, read_json])
def test_what_is_no_file_is_told_in_one_line(tmp_path, read):
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "itself"):
        with pytest.raises(ValueError) as caught:
            read(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{}", '{"step": "many"}', '{"step": null}'])
def test_a_field_that_was_edited_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="Expected step, of type int, in .*Received: "):
        read_field(tmp_path / "a.json", "step", int)


def test_a_field_of_a_section_is_named_with_it():
    check_fields({"a": {"b": 1.5, "c": 0}}, {"a": {"b": NUMBER, "c": int}}, "a.json")
    for content in ({}, {"a": None}, {"a": {"b": True, "c": 0}}, {"a": {"b": "1"}}):
        with pytest.raises(
            ValueError, match=r"Expected a\.b, of type float, in a.json. Received: "
        ):
            check_fields(content, {"a": {"b": NUMBER}}, "a.json")
