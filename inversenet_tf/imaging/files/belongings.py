"""Reads an image file's metadata, without whatever would be wrong for the restored image."""

import binascii
import re

from PIL import ExifTags, JpegImagePlugin

from inversenet_tf.imaging.files.images import EXIF_ORIENTATION

STALE_SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
# A TIFF keeps its EXIF among the tags that describe its pixel layout; these are not of that kind.
DESCRIPTIVE_TAGS = {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
    ExifTags.IFD.Exif,
    ExifTags.IFD.GPSInfo,
}
IPTC_RESOURCE = 0x0404  # of Photoshop's blocks
IPTC_TAG = 33723  # of a TIFF
IPTC_TEXT = "Raw profile type iptc"  # of a PNG, as ImageMagick and ExifTool write it
IPTC_MARK = b"\x1c"  # begins every IPTC record
GAMMA_CHUNK, PRIMARIES_CHUNK, SRGB_CHUNK = b"gAMA", b"cHRM", b"sRGB"  # of a PNG
CHUNK_UNIT = 100_000  # stands for 1.0 in them
# What XMP says of the original pixels: their orientation and a thumbnail.
STALE_XMP = (
    rb'\s*tiff:Orientation="\d"',
    rb"\s*<tiff:Orientation>\d</tiff:Orientation>",
    rb"\s*<xmp:Thumbnails>.*?</xmp:Thumbnails>",
)


def exif_of(image, notes):
    """Returns (orientation, EXIF block without it); the block is None if empty or damaged.

    Args:
        image: a loaded Pillow image.
        notes: list to which a note on damage is appended.
    """
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.pop(EXIF_ORIENTATION, 1)
        described = exif.get_ifd(ExifTags.IFD.Exif)
        for tag in STALE_SIZES:
            described.pop(tag, None)
        if image.format == "TIFF":
            for tag in set(exif) - DESCRIPTIVE_TAGS:
                del exif[tag]
        return orientation, exif.tobytes() if len(exif) else None  # `tobytes` drops the thumbnail
    except Exception:  # Pillow raises many kinds
        notes.append("damaged EXIF left out")
        return orientation, None


def xmp_of(image):
    """Returns the XMP packet of a Pillow image, without what no longer holds; bytes or None."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes):
        return None
    for stale in STALE_XMP:
        packet = re.sub(stale, b"", packet, flags=re.DOTALL)
    return packet


def iptc_of(image):
    """Returns the IPTC records of a Pillow image (caption, keywords, credit); bytes or None."""
    if image.format == "TIFF":
        records = image.tag_v2.get(IPTC_TAG)
    elif image.format == "PNG":
        records = _iptc_of_text(image.info.get(IPTC_TEXT))
    else:
        records = (image.info.get("photoshop") or {}).get(IPTC_RESOURCE)
    return records if isinstance(records, bytes) and records.startswith(IPTC_MARK) else None


def _iptc_of_text(text):
    """Reads the records from a PNG's text: a name, a length and hex digits; bare, or in a block."""
    try:
        content = binascii.unhexlify("".join(text.split()[2:]))
    except (AttributeError, ValueError):  # no text, or none of this kind
        return None
    return content[content.find(IPTC_MARK) :]


def photoshop_block(records):
    """Wraps IPTC records in the Photoshop block in which JPEG and PNG files keep them."""
    padding = bytes(len(records) % 2)
    number = IPTC_RESOURCE.to_bytes(2, "big")
    return b"8BIM" + number + bytes(2) + len(records).to_bytes(4, "big") + records + padding


def resolution_of(image):
    """Returns (horizontal, vertical) pixels per inch, or None where a file has no sane value."""
    try:
        horizontal, vertical = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    is_sane = 0 < horizontal < 1e6 and 0 < vertical < 1e6
    return (horizontal, vertical) if is_sane else None


def png_colours_of(image):
    """Returns {name: content} of the chunks that define the colours of a PNG without a profile."""
    chunks = {}
    if image.format != "PNG" or image.info.get("icc_profile"):
        return chunks
    if "srgb" in image.info:
        return {SRGB_CHUNK: bytes([image.info["srgb"]])}  # overrides the other two
    if image.info.get("gamma"):
        chunks[GAMMA_CHUNK] = _in_100000ths([image.info["gamma"]])
    if image.info.get("chromaticity"):
        chunks[PRIMARIES_CHUNK] = _in_100000ths(image.info["chromaticity"])
    return chunks


def _in_100000ths(values):
    return b"".join(round(value * CHUNK_UNIT).to_bytes(4, "big") for value in values)


def jpeg_of(image):
    """Returns Pillow's writer options for the quality of a JPEG file; empty for other files."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return {}
    options = {"qtables": tables, "progressive": "progressive" in image.info}
    sampling = JpegImagePlugin.get_sampling(image)
    return options if sampling < 0 else {**options, "subsampling": sampling}
