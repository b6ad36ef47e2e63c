"""Writes photographs with all their metadata, as PNG, JPEG or TIFF."""

import binascii
import io
import struct
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from inversenet_tf.imaging.files import belongings
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.photographs import Photograph, to_8_bits
from inversenet_tf.imaging.files.pixels import PNG_COMPRESSION, to_integers

PNG, JPEG, TIFF, SAME = "png", "jpeg", "tiff", "same"
FORMATS = (SAME, PNG, JPEG, TIFF)  # that a caller may ask for
SUFFIXES = {PNG: ".png", JPEG: ".jpg", TIFF: ".tif"}
# Inputs whose format results keep by default: those that are lossless, or record their quality.
KINDS = {
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jpe": JPEG,
    ".jfif": JPEG,
    ".tif": TIFF,
    ".tiff": TIFF,
}
PROFILE_KINDS = {1: b"GRAY", 3: b"RGB "}  # by channels, as the header of an ICC profile names them
PROFILE_KIND = slice(16, 20)  # their place in that header
JPEG_QUALITY = {"quality": 95, "subsampling": 0}  # of results whose input was no JPEG
JPEG_SIDE = 65_500  # pixels, at most
PHOTOSHOP_SEGMENT, PHOTOSHOP_NAME = b"\xff\xed", b"Photoshop 3.0\x00"  # of a JPEG
LARGEST_SEGMENT = 65_533  # bytes of content in one segment of a JPEG
USUAL_GAMMA = 0.45455  # that of files that state none
HEX_LINE = 72  # digits
PNG_HEADER, PNG_END = 33, 12  # bytes of signature and first chunk, and of the last
TIFF_XMP = 700
DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
BYTE, SHORT, LONG, TEXT = "B", "H", "I", "s"  # types of a TIFF's tags, as tifffile names them
LONG_CODE = 4  # LONG in the file itself


def result_suffix(path, wanted=SAME):
    """Returns the suffix of the result for an input file, such as `.png`.

    Args:
        path: of the input.
        wanted: one of `FORMATS`; "same" keeps PNG, JPEG (also for MPO) and TIFF, and turns other
            formats into PNG.
    """
    suffix = Path(path).suffix
    kind = KINDS.get(suffix.lower())
    if wanted == SAME:
        wanted = JPEG if suffix.lower() == ".mpo" else kind or PNG
    return suffix if wanted == kind else SUFFIXES[wanted]


def write_photograph(path, pixels, photograph: Photograph, scale=1):
    """Writes pixels with the metadata of a photograph, whole or not at all.

    PNG and TIFF keep 16 bits. The profile is written if its kind of colours is that of the pixels.

    Args:
        path: of the file, whose suffix names its format; PNG for an unknown suffix.
        pixels: uint8 or uint16 [height, width, 1 or 3].
        photograph: the `Photograph` whose alpha, profile, EXIF, XMP, IPTC and resolution are
            written; gray pixels become RGB if its gray was stored as RGB.
        scale: the factor between the sides of `pixels` and of the photograph, by which the
            resolution is multiplied; the alpha is resized to `pixels`.

    Returns:
        List of what the format could not hold, each in a few words.

    Raises:
        ValueError: a JPEG of more than 65500 pixels along a side.
        OSError: the file cannot be written.
    """
    if pixels.shape[-1] == 1 and photograph.is_stored_as_rgb:
        pixels = np.repeat(pixels, 3, axis=-1)
    write = {JPEG: _write_jpeg, TIFF: _write_tiff}.get(KINDS.get(Path(path).suffix.lower()))
    with written_aside(path) as partial:
        return (write or _write_png)(partial, pixels, photograph, scale)


def png_bytes(pixels):
    """Encodes uint8 or uint16 [height, width, 1 to 4] as the bytes of a PNG file."""
    return tf.io.encode_png(pixels, PNG_COMPRESSION).numpy()


def _with_alpha(pixels, photograph):
    """Appends the photograph's alpha, in the type and size of the pixels, as a last channel."""
    if photograph.alpha is None:
        return pixels
    alpha = photograph.alpha
    if alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype:
        values = Image.fromarray(alpha / np.float32(np.iinfo(alpha.dtype).max))
        if alpha.shape != pixels.shape[:2]:
            values = values.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.LANCZOS)
        alpha = to_integers(np.asarray(values), pixels.dtype)
    return np.concatenate([pixels, alpha[..., np.newaxis]], axis=-1)


def _as_picture(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _write_png(path, pixels, photograph, scale):
    values = _with_alpha(pixels, photograph)
    options = _profile_and_resolution(pixels, photograph, scale)
    if photograph.exif is not None:
        options["exif"] = photograph.exif
    told = PngImagePlugin.PngInfo()
    for name, content in photograph.png_colours.items():
        told.add(name, content)
    if photograph.xmp is not None:
        told.add_itxt("XML:com.adobe.xmp", photograph.xmp.decode("utf-8", "replace"))
    if photograph.iptc is not None:
        told.add_text(belongings.IPTC_TEXT, _iptc_text(photograph.iptc), zip=True)
    options["pnginfo"] = told
    if values.dtype == np.uint16:
        path.write_bytes(_deep_png(values, options))
    else:
        _as_picture(values).save(path, "PNG", compress_level=PNG_COMPRESSION, **options)
    return []


def _iptc_text(records):
    block = belongings.photoshop_block(records)
    digits = binascii.hexlify(block).decode()
    lines = [digits[start : start + HEX_LINE] for start in range(0, len(digits), HEX_LINE)]
    return f"\niptc\n{len(block):8}\n" + "\n".join(lines) + "\n"


def _deep_png(values, options):
    """Returns a 16-bit PNG: TensorFlow encodes the pixels, Pillow the metadata."""
    small, pixel = io.BytesIO(), np.zeros((1, 1, values.shape[-1]), np.uint8)
    _as_picture(pixel).save(small, "PNG", **options)
    chunks = small.getvalue()
    chunks = chunks[PNG_HEADER : chunks.index(b"IDAT") - 4]  # a chunk's length precedes its name
    content = png_bytes(values)
    return content[:PNG_HEADER] + chunks + content[PNG_HEADER:]


def _write_jpeg(path, pixels, photograph, scale):
    lost = []
    if photograph.alpha is not None:
        lost.append("a JPEG has no alpha")
    if pixels.dtype == np.uint16:
        lost.append("a JPEG has 8 bits")
    pixels = _with_usual_gamma(to_8_bits(pixels), photograph, lost)
    options = {**(photograph.jpeg or JPEG_QUALITY), "optimize": True}
    options |= _profile_and_resolution(pixels, photograph, scale)
    for name in ("exif", "xmp", "iptc"):
        block = getattr(photograph, name)
        if block is None:
            continue
        if len(block) >= LARGEST_SEGMENT - HEX_LINE:
            lost.append(f"{name.upper()} too large for a JPEG")
        elif name == "iptc":
            options["extra"] = _photoshop_segment(block)
        else:
            options[name] = block
    path.write_bytes(_jpeg_bytes(_as_picture(pixels), options))
    return lost


def _jpeg_bytes(picture, options):
    """Encodes a picture as a JPEG, with optimal codes where Pillow's buffer is large enough."""
    # Pillow guesses the size of that buffer, which noise of a high quality exceeds. Files that are
    # neither optimized nor progressive are encoded piece by piece.
    for simpler in ({}, {"optimize": False, "progressive": False}):
        file = io.BytesIO()  # so that the only errors are those of encoding
        try:
            picture.save(file, "JPEG", **{**options, **simpler})
            return file.getvalue()
        except OSError:
            continue
    raise ValueError(
        f"Expected an image that fits into a JPEG, of at most {JPEG_SIDE} pixels along each side. "
        f"Received: {picture.height}x{picture.width} pixels"
    )


def _photoshop_segment(iptc):
    """Returns the segment of a JPEG that holds IPTC records."""
    content = PHOTOSHOP_NAME + belongings.photoshop_block(iptc)
    return PHOTOSHOP_SEGMENT + (len(content) + 2).to_bytes(2, "big") + content


def _write_tiff(path, pixels, photograph, scale):
    import tifffile  # only a few need it

    lost = []
    pixels = _with_usual_gamma(pixels, photograph, lost)
    values = _with_alpha(pixels, photograph)
    options = _profile_and_resolution(pixels, photograph, scale)
    tags = []
    if photograph.xmp is not None:
        tags.append((TIFF_XMP, BYTE, len(photograph.xmp), photograph.xmp, True))
    if photograph.iptc is not None:
        tags.append((belongings.IPTC_TAG, BYTE, len(photograph.iptc), photograph.iptc, True))
    exif = Image.Exif()
    if photograph.exif is not None:
        exif.load(photograph.exif)
    tags += _tags_of(exif)
    tifffile.imwrite(
        path,
        values[..., 0] if values.shape[-1] == 1 else values,
        photometric="rgb" if pixels.shape[-1] == 3 else "minisblack",
        planarconfig="contig" if values.shape[-1] > 1 else None,
        extrasamples=["unassalpha"] if photograph.alpha is not None else None,
        compression="zlib",
        predictor=True,
        byteorder="<",
        iccprofile=options.get("icc_profile"),
        resolution=options.get("dpi"),
        resolutionunit="inch" if "dpi" in options else None,
        extratags=tags,
        metadata=None,
        software=False,
    )
    _append_directories(path, exif)
    return lost


def _tags_of(exif):
    """Returns tifffile's extra tags for an EXIF block; its directories are appended later."""
    tags = []
    for tag, value in exif.items():
        if tag in DIRECTORIES:
            tags.append((_placeholder(tag), LONG, 1, 0, True))
        elif isinstance(value, str):
            tags.append((tag, TEXT, 0, value, True))
        elif isinstance(value, bytes):
            tags.append((tag, BYTE, len(value), value, True))
        elif isinstance(value, int):
            tags.append((tag, SHORT if value < 2**16 else LONG, 1, value, True))
    return tags


def _placeholder(tag):
    """Returns a tag that tifffile writes in place of one it does not, and in the same order."""
    return tag - 1


def _append_directories(path, exif):
    """Appends the directories of an EXIF block to a TIFF, and points the placeholders to them."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        entries = {tag.code: tag.offset for tag in file.pages[0].tags}
    with open(path, "r+b") as file:
        for tag in DIRECTORIES:
            if tag not in exif:
                continue
            directory = TiffImagePlugin.ImageFileDirectory_v2(group=tag)
            for name, value in exif.get_ifd(tag).items():
                directory[name] = value
            place = file.seek(0, io.SEEK_END)
            place += place % 2  # directories begin at even offsets
            file.seek(place)
            file.write(directory.tobytes(place))
            file.seek(entries[_placeholder(tag)])
            file.write(struct.pack("<HHII", tag, LONG_CODE, 1, place))


def _with_usual_gamma(pixels, photograph, lost):
    """Converts values to the usual gamma, as only a PNG can state another."""
    chunk = photograph.png_colours.get(belongings.GAMMA_CHUNK)
    gamma = int.from_bytes(chunk, "big") / belongings.CHUNK_UNIT if chunk else USUAL_GAMMA
    if abs(gamma - USUAL_GAMMA) < 1e-3:
        return pixels
    lost.append(f"gAMA {gamma:.5g} applied")
    top = np.iinfo(pixels.dtype).max
    table = to_integers((np.arange(top + 1) / top) ** (USUAL_GAMMA / gamma), pixels.dtype)
    return table[pixels]


def _profile_and_resolution(pixels, photograph, scale):
    """Returns the options of Pillow's writers for the profile and the resolution."""
    options = {}
    profile = photograph.profile
    if profile is not None and profile[PROFILE_KIND] == PROFILE_KINDS[pixels.shape[-1]]:
        options["icc_profile"] = profile
    if photograph.resolution is not None:
        options["dpi"] = tuple(scale * value for value in photograph.resolution)
    return options
