"""What belongs to a photograph, through PNG, JPEG and TIFF."""

import io
import struct

import numpy as np
import pytest
import skimage.data
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin

from inversenet_tf.imaging.files.belongings import photoshop_block
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph
from inversenet_tf.imaging.files.written_photographs import write_photograph

COLOURS = skimage.data.chelsea()[100:140, 100:160]
DEEP = COLOURS.astype(np.uint16) * 257 + 3
RECORDS = b"\x1c\x02\x78\x00\x05Hello" + b"\x1c\x02\x19\x00\x03cat"  # caption and keyword
PACKET = (
    b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta><rdf:Description "
    b'tiff:Orientation="1" dc:title="Cat"><xmp:Thumbnails>old</xmp:Thumbnails>'
    b"</rdf:Description></x:xmpmeta><?xpacket end='w'?>"
)


def camera_exif():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.Exif] = {0x9003: "2020:01:01 00:00:00", 0x829A: (1, 60), 0x927C: b"NOTE"}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return exif.tobytes()


@pytest.mark.parametrize("pixels", [COLOURS, DEEP], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("first", ["png", "jpg", "tif"])
@pytest.mark.parametrize("second", ["png", "jpg", "tif"])
def test_everything_goes_along_from_format_to_format(tmp_path, pixels, first, second):
    photograph = Photograph(
        pixels, exif=camera_exif(), xmp=PACKET, iptc=RECORDS, resolution=(300.0, 150.0)
    )
    write_photograph(tmp_path / f"a.{first}", pixels, photograph)
    middle = read_photograph(tmp_path / f"a.{first}")
    write_photograph(tmp_path / f"b.{second}", middle.pixels, middle)
    again = read_photograph(tmp_path / f"b.{second}")
    assert again.iptc == RECORDS and again.notes == []
    assert again.xmp.startswith(b"<?xpacket") and b'dc:title="Cat"' in again.xmp
    assert b"Orientation" not in again.xmp and b"Thumbnails" not in again.xmp
    np.testing.assert_allclose(again.resolution, (300, 150), rtol=1e-3)
    exif = Image.Exif()
    exif.load(again.exif)
    assert exif[ExifTags.Base.Make] == "Maker"
    described = exif.get_ifd(ExifTags.IFD.Exif)
    assert described[0x9003] == "2020:01:01 00:00:00" and described[0x927C] == b"NOTE"
    assert exif.get_ifd(ExifTags.IFD.GPSInfo) == {1: "N", 2: (1.0, 2.0, 3.0)}
    is_lossy = "jpg" in (first, second)
    assert again.pixels.dtype == (np.uint8 if is_lossy else pixels.dtype)
    if not is_lossy:
        np.testing.assert_array_equal(again.pixels, pixels)


@pytest.mark.parametrize("pixels", [COLOURS, DEEP], ids=["8 bits", "16 bits"])
def test_a_png_is_packed_fast(tmp_path, pixels):
    write_photograph(tmp_path / "a.png", pixels, Photograph(pixels))
    stream = (tmp_path / "a.png").read_bytes().partition(b"IDAT")[2]
    assert stream[1] >> 6 == 1  # zlib's name for levels 2 to 5; the usual level would be 2


@pytest.mark.parametrize("options", [{"quality": 71}, {"quality": 93, "subsampling": 0}])
def test_the_quality_of_a_jpeg_is_kept(tmp_path, options):
    Image.fromarray(COLOURS).save(tmp_path / "a.jpg", progressive=True, **options)
    photograph = read_photograph(tmp_path / "a.jpg")
    write_photograph(tmp_path / "b.jpg", photograph.pixels, photograph)
    with Image.open(tmp_path / "a.jpg") as before, Image.open(tmp_path / "b.jpg") as after:
        assert after.quantization == before.quantization and "progressive" in after.info
        sampling = JpegImagePlugin.get_sampling
        assert sampling(after) == sampling(before)
    write_photograph(tmp_path / "c.jpg", COLOURS, Photograph(COLOURS))
    assert np.abs(read_photograph(tmp_path / "c.jpg").pixels.astype(int) - COLOURS).mean() < 2


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_jpeg_of_noise_is_written_though_it_exceeds_the_buffer_of_pillow(
    tmp_path, is_progressive
):
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), np.uint8)
    best = {"quality": 100, "subsampling": 0, "progressive": is_progressive}
    write_photograph(tmp_path / "a.jpg", noise, Photograph(noise, jpeg=best, exif=camera_exif()))
    again = read_photograph(tmp_path / "a.jpg")
    assert np.abs(again.pixels.astype(int) - noise).mean() < 1 and again.exif is not None


def test_an_image_too_large_for_a_jpeg_is_told(tmp_path):
    wide = np.zeros((1, 65_501, 1), np.uint8)
    with pytest.raises(ValueError, match="at most 65500 pixels .* Received: 1x65501"):
        write_photograph(tmp_path / "a.jpg", wide, Photograph(wide))
    assert not list(tmp_path.iterdir())


def test_gray_jpegs_and_colours_for_them(tmp_path):
    Image.fromarray(COLOURS[..., 0]).save(tmp_path / "a.jpg", quality=80)
    photograph = read_photograph(tmp_path / "a.jpg")
    assert not photograph.is_stored_as_rgb
    for pixels, mode in ((photograph.pixels, "L"), (COLOURS, "RGB")):
        write_photograph(tmp_path / "b.jpg", pixels, photograph)
        with Image.open(tmp_path / "b.jpg") as image:
            assert image.mode == mode and image.quantization[0] == photograph.jpeg["qtables"][0]


def test_iptc_as_other_programs_write_it(tmp_path):
    """A JPEG's segment, a TIFF's tag, and a PNG's text of bare records."""
    segment = b"Photoshop 3.0\x00" + photoshop_block(RECORDS)
    extra = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    Image.fromarray(COLOURS).save(tmp_path / "a.jpg", extra=extra)
    told = PngImagePlugin.PngInfo()
    told.add_text("Raw profile type iptc", f"\niptc\n  {len(RECORDS)}\n{RECORDS.hex()}\n")
    Image.fromarray(COLOURS).save(tmp_path / "a.png", pnginfo=told)
    for name in ("a.jpg", "a.png"):
        assert read_photograph(tmp_path / name).iptc == RECORDS


def with_chunk(name, content):
    told, file = PngImagePlugin.PngInfo(), io.BytesIO()
    told.add(name, content)
    Image.fromarray(COLOURS).save(file, "PNG", pnginfo=told)
    file.seek(0)
    return file


def test_a_gamma_is_kept_by_png_and_applied_by_others(tmp_path):
    photograph = read_photograph(with_chunk(b"gAMA", struct.pack(">I", 100_000)), "linear.png")
    assert write_photograph(tmp_path / "a.png", photograph.pixels, photograph) == []
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["gamma"] == 1.0
        np.testing.assert_array_equal(np.asarray(image), COLOURS)
    lost = write_photograph(tmp_path / "a.tif", photograph.pixels, photograph)
    assert lost == ["gAMA 1 applied"]
    expected = np.round((COLOURS / 255) ** 0.45455 * 255)
    np.testing.assert_array_equal(read_photograph(tmp_path / "a.tif").pixels, expected)
    usual = read_photograph(with_chunk(b"gAMA", struct.pack(">I", 45_455)), "usual.png")
    assert write_photograph(tmp_path / "b.tif", usual.pixels, usual) == []
    np.testing.assert_array_equal(read_photograph(tmp_path / "b.tif").pixels, COLOURS)


def test_primaries_and_srgb_are_kept(tmp_path):
    for name, content in (
        (b"sRGB", b"\x01"),
        (b"cHRM", struct.pack(">8I", *range(30_000, 30_008))),
    ):
        photograph = read_photograph(with_chunk(name, content), "a.png")
        assert photograph.png_colours == {name: content}
        for pixels in (COLOURS, DEEP):
            write_photograph(tmp_path / "b.png", pixels, photograph)
            assert read_photograph(tmp_path / "b.png").png_colours == {name: content}


def test_what_a_jpeg_cannot_hold_is_told(tmp_path):
    alpha = np.full(DEEP.shape[:2], 9, np.uint16)
    photograph = Photograph(DEEP, alpha, xmp=b"<x>" + bytes(70_000), iptc=bytes(70_000))
    lost = write_photograph(tmp_path / "a.jpg", DEEP, photograph)
    too_large = [f"{name} too large for a JPEG" for name in ("XMP", "IPTC")]
    assert lost == ["a JPEG has no alpha", "a JPEG has 8 bits", *too_large]
    np.testing.assert_allclose(read_photograph(tmp_path / "a.jpg").pixels, COLOURS, atol=30)
