"""Recognises image files that need more than Pillow, or that are not read at all."""

import contextlib
from pathlib import Path

from PIL import Image

# Refused by name, as Pillow would read only the small preview in some of them.
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc"),
    *(".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"),
    *(".sr2", ".srf", ".srw", ".x3f"),
)
FLOAT_SUFFIXES = (".exr", ".hdr", ".pfm")
EXR_START = b"v/1\x01"
DNG_VERSION = 50706  # a tag that only a DNG has, which is a TIFF otherwise
RAW = (
    "a camera's raw file, which has no colours yet; develop it first, for example to a 16-bit "
    "TIFF, which is restored as one"
)
FLOATS = (
    "an image of unlimited range (EXR, HDR); map its tones to [0, 1] first, for example in a "
    "16-bit PNG or TIFF"
)
NEEDS_HEIF = "a HEIC photograph, which needs pillow-heif (pip install pillow-heif)"
NEEDS_AVIF = "an AVIF photograph, which needs a Pillow of 11.3 or later"
HEAD = 16  # bytes of a file that tell its kind
BRAND = slice(4, 12)  # where a file in the ISO container format names its kind
HEIF_BRANDS = [b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")]
AVIF_BRANDS = [b"ftypavif", b"ftypavis"]


def why_refused(name):
    """Returns why files with such a name are refused, or None where they are not."""
    suffix = Path(str(name)).suffix.lower()
    if suffix in RAW_SUFFIXES:
        return RAW
    return FLOATS if suffix in FLOAT_SUFFIXES else None


def check_kind(image):
    """Raises ValueError for a Pillow image that is only the preview of a raw file."""
    if image.format == "TIFF" and DNG_VERSION in image.tag_v2:
        raise ValueError(RAW)


def prepare_for(file):
    """Enables HEIC in Pillow if a file needs it and pillow-heif is installed; takes 0.2 s."""
    if _head(file)[BRAND] in HEIF_BRANDS and "HEIF" not in Image.OPEN:
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener(thumbnails=False)


def why_unidentified(file):
    """Returns why Pillow recognises no image in a file."""
    head = _head(file)
    if head.startswith(EXR_START):
        return FLOATS
    if head[BRAND] in HEIF_BRANDS:
        return NEEDS_HEIF
    return NEEDS_AVIF if head[BRAND] in AVIF_BRANDS else "not an image"


def _head(file):
    """Returns the first bytes of a path, or of a binary file object, whose position is kept."""
    if hasattr(file, "read"):
        place = file.tell()
        file.seek(0)
        try:
            return file.read(HEAD)
        finally:
            file.seek(place)
    with open(file, "rb") as opened:
        return opened.read(HEAD)
