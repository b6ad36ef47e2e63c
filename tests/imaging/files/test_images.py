from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.files import images as files
from inversenet_tf.imaging.files.pixels import from_integers, to_uint8


def test_png_round_trip_is_exact(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    files.write_image(tmp_path / "deep" / "a.png", from_integers(pixels))
    image = files.read_image(tmp_path / "deep" / "a.png")
    assert image.dtype == np.float32
    np.testing.assert_array_equal(to_uint8(image), pixels)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_float_in_unit_range(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    picture = Image.fromarray(pixels)
    suffixes = {"L": "png", "RGBA": "png", "P": "gif", "CMYK": "jpg", "LA": "png", "1": "png"}
    for mode, suffix in suffixes.items():
        path = tmp_path / f"{mode}.{suffix}"
        picture.convert(mode).save(path)
        image = files.read_image(path, channels)
        assert image.shape == (6, 4, channels), mode
        assert image.min() >= 0 and image.max() <= 1, mode


def test_a_path_may_begin_with_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files.write_image("~/photos/a.png", np.full((4, 5, 3), 0.4))
    assert (tmp_path / "photos" / "a.png").is_file()
    assert files.read_image("~/photos/a.png").shape == (4, 5, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.tiff", "a"])
def test_no_png_is_written_under_another_suffix(tmp_path, name):
    with pytest.raises(ValueError, match="ends in .png"):
        files.write_image(tmp_path / name, np.zeros((4, 4, 3)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_other_numbers_of_channels_are_refused(image_folder, channels):
    with pytest.raises(ValueError, match="Expected channels 1 or 3") as caught:
        files.read_image(image_folder / "0.png", channels)
    assert caught.type is ValueError  # the file is not to blame


def test_sixteen_bit_files_keep_their_precision(tmp_path):
    values = np.array([[0, 1, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    np.testing.assert_allclose(files.read_image(tmp_path / "deep.png", 1)[..., 0], values / 65535)


def test_pixels_without_a_range_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(files.ImageReadError, match="float.tiff.*range"):
        files.read_image(tmp_path / "float.tiff")


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert files.read_image(tmp_path / "turned.jpg").shape == (8, 4, 3)


def test_a_file_object_is_read_as_its_path_is(image_folder):
    content = (image_folder / "0.png").read_bytes()
    expected = files.read_image(image_folder / "0.png")
    np.testing.assert_array_equal(files.read_image(BytesIO(content), 3, "some name"), expected)
    assert (
        files.decoded_size(BytesIO(content))
        == files.decoded_size(image_folder / "0.png")
        == (40, 48)
    )
    for read in (
        lambda *args: files.read_image(args[0], 3, args[1]),
        files.decoded_size,
    ):
        with pytest.raises(files.ImageReadError, match="the image some name: .*truncated"):
            read(BytesIO(content[:-2000]), "some name")


def test_a_damaged_exif_block_is_an_unreadable_image(tmp_path):
    """To turn an image, Pillow writes its EXIF anew; a resolution that is text stops it there."""
    entries = (
        b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"  # orientation: 6
        b"\x1a\x01\x02\x00\x03\x00\x00\x00ab\x00\x00"  # horizontal resolution: "ab"
    )
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00" + entries + bytes(4)
    Image.new("RGB", (8, 4)).save(tmp_path / "odd.jpg", exif=exif)
    with pytest.raises(files.ImageReadError, match="odd.jpg"):
        files.read_image(tmp_path / "odd.jpg")


def test_no_file_is_handed_to_another_program(tmp_path):
    """Pillow runs Ghostscript on what is EPS, whatever the file is called."""
    image, path = Image.new("RGB", (16, 16), "red"), tmp_path / "photo.png"
    image.save(path, "EPS")
    with pytest.raises(files.ImageReadError, match="photo.png: not an image"):
        files.read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_raster_formats_are_read_whatever_the_file_is_called(kind, tmp_path):
    Image.new("RGB", (16, 16), "red").save(tmp_path / "photo.png", kind)
    np.testing.assert_allclose(files.read_image(tmp_path / "photo.png")[8, 8], [1, 0, 0], atol=0.02)
