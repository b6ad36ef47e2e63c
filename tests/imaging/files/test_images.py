from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from inversenet_tf.imaging.files import images as files


def test_png_round_trip_is_exact(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    files.write_image(tmp_path / "deep" / "a.png", files.from_integers(pixels))
    image = files.read_image(tmp_path / "deep" / "a.png")
    assert image.dtype == np.float32
    np.testing.assert_array_equal(files.to_uint8(image), pixels)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_to_uint8_rounds_and_clips():
    values = np.array([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 7.0])
    np.testing.assert_array_equal(files.to_uint8(values), [0, 0, 0, 1, 255, 255])


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


def test_broken_files_are_named(tmp_path, image_folder):
    whole = (image_folder / "0.png").read_bytes()
    (image_folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (image_folder / "text.png").write_text("no image")
    (image_folder / "empty.jpg").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(image_folder / "tiny.png")
    Image.fromarray(np.zeros((40, 40), np.float32)).save(image_folder / "float.tiff")
    usable, skipped = files.usable_images(files.list_images(image_folder), minimum_side=32)
    assert [p.name for p in usable] == [f"{i}.png" for i in range(6)]
    assert {p.name for p in skipped} == {
        "truncated.png",
        "text.png",
        "empty.jpg",
        "tiny.png",
        "float.tiff",
    }
    for path, reason in skipped.items():
        assert path.name in reason
    with pytest.raises(files.ImageReadError, match="text.png"):
        files.read_image(image_folder / "text.png")


def test_of_very_many_files_only_headers_are_read(image_folder, monkeypatch):
    Image.open(image_folder / "0.png").save(image_folder / "truncated.jpg")
    whole = (image_folder / "truncated.jpg").read_bytes()
    (image_folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (image_folder / "text.png").write_text("no image")
    paths = files.list_images(image_folder)
    monkeypatch.setattr(files, "DECODED_CHECKS", len(paths) - 1)
    usable, skipped = files.usable_images(paths, minimum_side=32)
    assert len(usable) == 7 and [p.name for p in skipped] == ["text.png"]


@pytest.mark.parametrize("limit", [0, 100])
def test_sizes_are_those_of_the_upright_image(tmp_path, monkeypatch, limit):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    monkeypatch.setattr(files, "DECODED_CHECKS", limit)
    sizes, _ = files.inspect_images([tmp_path / "turned.jpg"])
    assert list(sizes.values()) == [(8, 4)]


def test_list_images_is_recursive_and_sorted(tmp_path):
    for name in ("b.png", "a/z.JPG", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files.list_images(tmp_path) == [tmp_path / "a/z.JPG", tmp_path / "b.png"]


def test_missing_and_empty_directories_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Received: .*nowhere"):
        files.list_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Received: none"):
        files.list_images(tmp_path)


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


def test_linked_folders_are_read_once_and_hidden_ones_never(tmp_path):
    elsewhere, photos = tmp_path / "elsewhere", tmp_path / "photos"
    for folder in (elsewhere, photos / "sub", photos / ".ipynb_checkpoints"):
        folder.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(folder / "a.png")
    Image.new("RGB", (16, 16)).save(photos / ".hidden.png")
    (photos / "linked").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(photos)
    (photos / "sub" / "dangling.png").symlink_to(tmp_path / "gone.png")
    names = [str(path.relative_to(photos)) for path in files.list_images(photos)]
    assert names == ["linked/a.png", "sub/a.png", "sub/dangling.png"]
