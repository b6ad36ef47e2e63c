"""16 bits a value, of colours and beside an alpha, in and out of files."""

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import ExifTags, Image

from inversenet_tf.imaging.files.images import ImageReadError, read_image
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph
from inversenet_tf.imaging.files.written_photographs import png_bytes, write_photograph

VALUES = np.random.default_rng(0).integers(1, 65536, (20, 30, 4), np.uint16)
CHANNELS = {1: VALUES[..., :1], 2: VALUES[..., :2], 3: VALUES[..., :3], 4: VALUES}


def write_tiff(path, pixels, **options):
    extras = [] if pixels.shape[-1] == 3 else ["unassalpha"]
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=extras, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", CHANNELS)
def test_every_value_is_kept(tmp_path, channels, suffix):
    pixels = CHANNELS[channels]
    (tmp_path / "a.png").write_bytes(png_bytes(pixels))
    photograph = read_photograph(tmp_path / "a.png")
    assert photograph.notes == []
    lost = write_photograph(tmp_path / f"b.{suffix}", photograph.pixels, photograph)
    again = tifffile.imread(tmp_path / "b.tif") if suffix == "tif" else None
    if suffix == "png":
        again = tf.io.decode_png((tmp_path / "b.png").read_bytes(), dtype=tf.uint16).numpy()
    assert lost == [] and again.dtype == np.uint16
    np.testing.assert_array_equal(again.reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"byteorder": ">"},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_tiffs_as_programs_write_them(tmp_path, channels, options):
    pixels = CHANNELS[channels]
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    extras = [] if channels == 3 else ["unassalpha"]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=extras, **options)
    photograph = read_photograph(path)
    np.testing.assert_array_equal(photograph.pixels, pixels[..., :3])
    assert (photograph.alpha is None) == (channels == 3) and photograph.notes == []
    np.testing.assert_array_equal(np.round(read_image(path) * 65_535), pixels[..., :3])


def test_colours_that_an_alpha_was_multiplied_into(tmp_path):
    alpha = np.maximum(VALUES[..., 3:], 30_000)
    multiplied = np.round(VALUES[..., :3] * (alpha / 65_535)).astype(np.uint16)
    stored = np.concatenate([multiplied, alpha], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    pixels = read_photograph(tmp_path / "a.tif").pixels
    np.testing.assert_allclose(pixels.astype(int), VALUES[..., :3], atol=2)


def test_a_compression_that_nothing_reads(tmp_path, monkeypatch):
    """Pillow reads it with 8 bits, which is told; planes it would misread, so they are refused."""

    def without_codec(page):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    write_tiff(tmp_path / "a.tif", CHANNELS[3], compression="zlib")
    planes = np.moveaxis(CHANNELS[3], -1, 0)
    write = {"planarconfig": "separate", "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "planes.tif", planes, **write)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", without_codec)
    photograph = read_photograph(tmp_path / "a.tif")
    assert photograph.notes == ["16 bits read as 8; imagecodecs would keep them"]
    np.testing.assert_allclose(photograph.pixels, CHANNELS[3] / 257, atol=1)
    with pytest.raises(ImageReadError, match="planes.tif: .*pip install imagecodecs"):
        read_photograph(tmp_path / "planes.tif")


def test_they_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photograph = Photograph(CHANNELS[3], exif=exif.tobytes())
    write_photograph(tmp_path / "a.png", CHANNELS[3], photograph)
    expected = np.rot90(CHANNELS[3], -1)
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.png").pixels, expected)
    read = read_image(tmp_path / "a.png", window=lambda *_: (slice(2, 9), slice(3, 7)))
    np.testing.assert_array_equal(np.round(read * 65_535), expected[2:9, 3:7])


@pytest.mark.parametrize("channels, wanted", [(2, 3), (4, 1), (3, 1), (3, 3)])
def test_training_reads_them_too(tmp_path, channels, wanted):
    (tmp_path / "a.png").write_bytes(png_bytes(CHANNELS[channels]))
    colours = CHANNELS[channels][..., : 3 if channels > 2 else 1] / 65_535
    expected = colours
    if wanted == 1:
        expected = colours @ np.array([[0.299], [0.587], [0.114]])
    if channels == 2:
        expected = colours.repeat(3, -1)
    np.testing.assert_allclose(read_image(tmp_path / "a.png", wanted), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "packed.tif"])
def test_what_is_cut_off_is_refused(tmp_path, name):
    path = tmp_path / name
    if name == "a.png":
        path.write_bytes(png_bytes(VALUES))
    else:
        write_tiff(path, VALUES, compression="zlib" if name == "packed.tif" else None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageReadError, match=f"{name}: .*(damaged|truncated)"):
        read_photograph(path)
