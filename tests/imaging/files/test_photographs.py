from io import BytesIO

import numpy as np
import PIL
import pytest
import skimage.data
from PIL import ExifTags, Image, ImageCms

from inversenet_tf.imaging.files.images import ImageReadError, decoded_size, upright_size
from inversenet_tf.imaging.files.photographs import (
    Photograph,
    count_pixels,
    read_photograph,
    to_8_bits,
)
from inversenet_tf.imaging.files.written_photographs import write_photograph

COLOURS = skimage.data.chelsea()[100:140, 100:160]  # 40 x 60
GRAY = COLOURS[..., 1]
DEEP = np.arange(32 * 40, dtype=np.uint16).reshape(32, 40) + 30_000
ALPHA = np.linspace(0, 255, 40 * 60).astype(np.uint8).reshape(40, 60)
ORIENTATION, EXIF, GPS = 0x0112, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = SRGB[:16] + b"GRAY" + SRGB[20:]  # by its header; nothing here reads on


def camera_exif(orientation):
    """As a camera writes it; with a thumbnail, as its second directory."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[EXIF] = {0x9003: "2020:01:01 00:00:00", 0xA002: 60, 0xA003: 40, 0x927C: b"MAKER NOTE"}
    exif[GPS] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return exif.tobytes()


def check_exif(block):
    exif = Image.Exif()
    exif.load(block)
    assert dict(exif).keys() == {ExifTags.Base.Make, EXIF, GPS}
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get_ifd(EXIF) == {0x9003: "2020:01:01 00:00:00", 0x927C: b"MAKER NOTE"}
    assert exif.get_ifd(GPS) == {1: "N", 2: (1.0, 2.0, 3.0)}


def saved(path, pixels, mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image = image if mode is None else image.convert(mode)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_upright_as_the_orientation_says(tmp_path, suffix, orientation):
    """By the EXIF standard's words, of an image whose halves differ."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :, 0], pixels[:, :8, 1] = 255, 255
    options = {"exif": camera_exif(orientation)}
    if suffix == "jpg":
        options |= {"quality": 100, "subsampling": 0}
    path = saved(tmp_path / f"turned.{suffix}", pixels, **options)
    photograph = read_photograph(path)
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1),
        8: np.rot90(pixels),
        9: pixels,  # the standard ends at 8
    }
    np.testing.assert_allclose(photograph.pixels, turned[orientation], atol=2)
    assert upright_size(path) == decoded_size(path) == photograph.pixels.shape[:2]
    check_exif(photograph.exif)


def test_a_photograph_keeps_what_belongs_to_it(tmp_path):
    path = saved(
        tmp_path / "a.png",
        np.dstack([COLOURS, ALPHA]),
        exif=camera_exif(1),
        icc_profile=SRGB,
        dpi=(300, 300),
    )
    photograph = read_photograph(path)
    np.testing.assert_array_equal(photograph.pixels, COLOURS)
    np.testing.assert_array_equal(photograph.alpha, ALPHA)
    assert photograph.profile == SRGB and photograph.notes == []
    write_photograph(tmp_path / "out" / "b.png", photograph.pixels, photograph)
    again = read_photograph(tmp_path / "out" / "b.png")
    np.testing.assert_array_equal(again.pixels, COLOURS)
    np.testing.assert_array_equal(again.alpha, ALPHA)
    assert again.profile == SRGB and again.exif == photograph.exif
    check_exif(again.exif)
    np.testing.assert_allclose(again.resolution, (300, 300), rtol=1e-4)


def test_a_larger_result_has_a_larger_alpha(tmp_path):
    photograph = Photograph(COLOURS, ALPHA, resolution=(100.0, 50.0))
    large = COLOURS.repeat(3, 0).repeat(3, 1)
    write_photograph(tmp_path / "large.png", large, photograph, scale=3)
    restored = read_photograph(tmp_path / "large.png")
    np.testing.assert_array_equal(restored.pixels, large)
    smooth = restored.alpha[1::3, 1::3].astype(int)  # the middle of each square
    assert restored.alpha.shape == (120, 180) and np.abs(smooth - ALPHA)[4:-4, 4:-4].max() <= 3
    np.testing.assert_allclose(restored.resolution, (300, 150), rtol=1e-3)


@pytest.mark.parametrize(
    "channels, profile, kept",
    [
        (1, GRAY_PROFILE, True),
        (1, SRGB, False),
        (3, SRGB, True),
        (3, GRAY_PROFILE, False),
    ],
    # Given, as a profile holds the second it was made in.
    ids=["gray of gray", "gray of RGB", "RGB of RGB", "RGB of gray"],
)
def test_a_profile_goes_with_its_kind_of_colours(tmp_path, channels, profile, kept):
    pixels = COLOURS[..., :channels]
    write_photograph(tmp_path / "a.png", pixels, Photograph(pixels, profile=profile))
    with Image.open(tmp_path / "a.png") as image:
        assert image.info.get("icc_profile") == (profile if kept else None)


@pytest.mark.parametrize(
    "mode, suffix",
    [
        ("1", "png"),
        ("L", "png"),
        ("LA", "png"),
        ("L", "gif"),
        ("P", "png"),
    ],
)
def test_gray_stays_gray(tmp_path, mode, suffix):
    gray = Image.fromarray(GRAY)
    if mode == "LA":
        gray.putalpha(Image.fromarray(ALPHA))
    photograph = read_photograph(saved(tmp_path / f"gray.{suffix}", gray, mode))
    expected = np.asarray(gray.convert(mode).convert("L"))[..., None]
    np.testing.assert_array_equal(photograph.pixels, expected)
    assert (photograph.alpha is not None) == (mode == "LA")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "big_endian.tif", "a.pgm", "i.tif"])
def test_sixteen_bits_of_gray_are_kept(tmp_path, name):
    image = Image.fromarray(DEEP)
    if name == "big_endian.tif":
        image = Image.frombytes("I;16B", image.size, DEEP.astype(">u2").tobytes())
    if name == "i.tif":
        image = Image.fromarray(DEEP.astype(np.int32))
    image.save(tmp_path / name)
    photograph = read_photograph(tmp_path / name)
    assert photograph.pixels.dtype == np.uint16 and photograph.notes == []
    np.testing.assert_array_equal(photograph.pixels[..., 0], DEEP)
    write_photograph(tmp_path / "out.png", photograph.pixels, photograph)
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), DEEP)


def test_one_transparent_value_is_alpha(tmp_path):
    """The chunk tRNS, in every mode that may have it."""
    for mode, transparent in {"1": 0, "L": int(GRAY[5, 5]), "RGB": tuple(COLOURS[5, 5])}.items():
        transparent = tuple(map(int, transparent)) if mode == "RGB" else transparent
        source = Image.fromarray(COLOURS if mode == "RGB" else GRAY).convert(mode)
        path = saved(tmp_path / f"{mode}.png", source, transparency=transparent)
        photograph = read_photograph(path)
        expected = np.asarray(source.convert("RGB" if mode == "RGB" else "L")).reshape(40, 60, -1)
        np.testing.assert_array_equal(photograph.pixels, expected)
        is_clear = (expected == np.reshape(transparent, (1, 1, -1))).all(-1)
        np.testing.assert_array_equal(photograph.alpha, np.where(is_clear, 0, 255), mode)
    path = saved(tmp_path / "deep.png", DEEP, transparency=30_007)
    photograph = read_photograph(path)
    np.testing.assert_array_equal(photograph.pixels[..., 0], DEEP)
    np.testing.assert_array_equal(photograph.alpha, np.where(DEEP == 30_007, 0, 65_535))


def test_palettes_become_colours_and_alpha(tmp_path):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    palette = np.array([[9, 200, 30], [255, 255, 255], [40, 50, 60]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    path = saved(tmp_path / "palette.png", image, transparency=bytes([0, 255, 77]))
    photograph = read_photograph(path)
    np.testing.assert_array_equal(photograph.pixels, palette[indices])
    np.testing.assert_array_equal(photograph.alpha, np.array([0, 255, 77])[indices])


def test_of_several_frames_the_first(tmp_path):
    frames = [Image.new("RGB", (8, 6), (0, 20 * k, 90)) for k in range(12)]
    for name in ("a.gif", "a.png", "a.tif", "a.webp"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        photograph = read_photograph(tmp_path / name)
        assert photograph.notes == ["first of 12 frames"], name
        np.testing.assert_array_equal(photograph.pixels, np.tile(np.uint8([0, 0, 90]), (6, 8, 1)))


def test_other_colours_become_srgb(tmp_path):
    lab = ImageCms.profileToProfile(
        Image.fromarray(COLOURS),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    photograph = read_photograph(saved(tmp_path / "lab.tif", lab, icc_profile=SRGB))
    assert photograph.notes == ["LAB converted to sRGB"] and photograph.profile is None
    np.testing.assert_allclose(photograph.pixels, COLOURS, atol=6)
    # Releases of Pillow before 13 read such a file only where it is compressed.
    is_read = int(PIL.__version__.split(".")[0]) >= 13
    for packing in ("raw", "tiff_lzw") if is_read else ("tiff_lzw",):
        path = saved(tmp_path / "ycbcr.tif", COLOURS, "YCbCr", compression=packing)
        np.testing.assert_allclose(read_photograph(path).pixels, COLOURS, atol=3)


def test_a_damaged_exif_block_costs_only_itself(tmp_path):
    entries = (
        b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"  # orientation: 6
        b"\x1a\x01\x02\x00\x03\x00\x00\x00ab\x00\x00"  # horizontal resolution: "ab"
    )
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00" + entries + bytes(4)
    photograph = read_photograph(saved(tmp_path / "odd.jpg", COLOURS, exif=exif))
    assert photograph.pixels.shape == (60, 40, 3) and photograph.notes == ["damaged EXIF left out"]
    assert photograph.exif is None


def test_a_thumbnail_is_left_behind(tmp_path):
    """It would show the photograph as it was."""
    thumbnail = BytesIO()
    Image.fromarray(COLOURS).save(thumbnail, "JPEG")
    content = thumbnail.getvalue()
    second = b"\x02\x00" + b"\x01\x02\x04\x00\x01\x00\x00\x00" + (56).to_bytes(4, "little")
    second += b"\x02\x02\x04\x00\x01\x00\x00\x00" + len(content).to_bytes(4, "little") + bytes(4)
    first = b"\x01\x00" + b"\x0f\x01\x02\x00\x03\x00\x00\x00ab\x00\x00" + b"\x1a\x00\x00\x00"
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + first + second + content
    path = saved(tmp_path / "thumb.jpg", COLOURS, exif=exif)
    with Image.open(path) as image:
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1)
    photograph = read_photograph(path)
    assert photograph.notes == [] and len(photograph.exif) < 60 and b"ab\0" in photograph.exif


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_what_is_no_whole_image_is_named(tmp_path, name):
    saved(tmp_path / name, COLOURS)
    content = (tmp_path / name).read_bytes()
    for wrong in (content[: len(content) // 2], b"", b"no image"):
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(ImageReadError, match=name):
            read_photograph(tmp_path / name)
    with pytest.raises(ImageReadError, match="absent.png"):
        read_photograph(tmp_path / "absent.png")
    assert count_pixels(tmp_path / "absent.png") == 0


def test_pixels_without_a_range_are_refused(tmp_path):
    for name, pixels in {
        "float.tif": np.zeros((4, 4), np.float32),
        "large.tif": np.full((4, 4), 65_536, np.int32),
        "negative.tif": np.full((4, 4), -1, np.int32),
    }.items():
        with pytest.raises(ImageReadError, match=f"{name}.*range"):
            read_photograph(saved(tmp_path / name, pixels))


@pytest.mark.filterwarnings("error")
def test_two_hundred_megapixels_are_no_bomb(tmp_path):
    path = saved(tmp_path / "large.png", Image.new("1", (20_000, 10_000)))
    assert count_pixels(path) == 200_000_000
    assert read_photograph(path).pixels.shape == (10_000, 20_000, 1)
    assert upright_size(path) == (10_000, 20_000)  # as training reads it


def test_the_result_is_whole_or_absent(tmp_path, monkeypatch):
    write_photograph(tmp_path / "a.png", COLOURS, Photograph(COLOURS))
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(Image.Image, "save", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_photograph(tmp_path / "a.png", COLOURS[::-1], Photograph(COLOURS))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_to_8_bits_rounds():
    deep = np.array([0, 128, 129, 257, 65_406, 65_407, 65_535], np.uint16)
    np.testing.assert_array_equal(to_8_bits(deep), [0, 0, 1, 1, 254, 255, 255])
