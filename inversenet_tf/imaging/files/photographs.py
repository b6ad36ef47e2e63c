"""Reads photographs with all their metadata."""

import dataclasses
from io import BytesIO

import numpy as np
from PIL import ImageCms

from inversenet_tf.imaging.files import belongings
from inversenet_tf.imaging.files.deep_pixels import deep_pixels, is_deep
from inversenet_tf.imaging.files.images import ImageReadError, check_range, opened
from inversenet_tf.imaging.files.pixels import WHITE, WHITE_16_BITS, is_gray, turned_upright

GRAY_MODES = ("1", "L", "LA", "La")
CONVERTED_MODES = ("CMYK", "LAB", "HSV")
READ_AS_8 = "16 bits read as 8"


@dataclasses.dataclass
class Photograph:
    """An image file's content.

    Attributes:
        pixels: uint8 or uint16 [height, width, 1 or 3], upright.
        alpha: uint8 or uint16 [height, width], white where opaque, or None.
        profile: the ICC profile of the file, or None, also where the colours were converted.
        exif: the EXIF block without orientation, thumbnail and what described the old pixels, or
            None.
        xmp: the XMP packet, likewise, or None.
        iptc: the IPTC records, or None.
        resolution: (horizontal, vertical) in pixels per inch, or None.
        png_colours: {name: content} of the chunks that define a PNG's colours, such as gAMA.
        jpeg: Pillow's writer options for the quality of a JPEG file; empty for other files.
        is_stored_as_rgb: whether gray pixels were three equal channels in the file.
        notes: what was changed in reading, each in a few words.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    resolution: tuple | None = None
    png_colours: dict = dataclasses.field(default_factory=dict)
    jpeg: dict = dataclasses.field(default_factory=dict)
    is_stored_as_rgb: bool = False
    notes: list = dataclasses.field(default_factory=list)


def read_photograph(file, name=None):
    """Reads an image file in any of the formats that `read_image` reads.

    Gray pixels have one channel, even if stored as three equal ones, and 16 bits are kept where the
    file can be read so. Of several frames the first is read. CMYK is converted to sRGB by the
    file's profile.

    Args:
        file: its path, or a binary file object.
        name: what an error calls the file; None for `file` itself.

    Returns:
        A `Photograph`.

    Raises:
        ImageReadError: as `read_image`.
    """
    with opened(file, name or file) as image:
        return _photograph(image)


def count_pixels(path):
    """Returns the number of pixels in an image file's header; 0 where it cannot be read."""
    try:
        with opened(path, path) as image:
            return image.width * image.height
    except ImageReadError:
        return 0


def _photograph(image):
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"first of {frames} frames")
    pixels, alpha = _pixels(image, notes)
    orientation, exif = belongings.exif_of(image, notes)
    is_gray_rgb = pixels.shape[-1] == 3 and is_gray(pixels)
    if is_gray_rgb:
        pixels = pixels[..., :1]
    return Photograph(
        pixels=np.ascontiguousarray(turned_upright(pixels, orientation)),
        alpha=None if alpha is None else turned_upright(alpha, orientation),
        # The profile describes the colours before conversion.
        profile=None if image.mode in CONVERTED_MODES else image.info.get("icc_profile") or None,
        exif=exif,
        xmp=belongings.xmp_of(image),
        iptc=belongings.iptc_of(image),
        resolution=belongings.resolution_of(image),
        png_colours=belongings.png_colours_of(image),
        jpeg=belongings.jpeg_of(image),
        is_stored_as_rgb=is_gray_rgb and image.mode != "P",
        notes=notes,
    )


def _pixels(image, notes):
    """Returns (pixels [height, width, 1 or 3], alpha or None), not yet upright."""
    if is_deep(image):
        deep = deep_pixels(image)
        if deep is not None:
            image.load()  # for metadata behind the pixels, such as XMP
            return _deep_colours(deep, image.info.get("transparency"))
        notes.append(f"{READ_AS_8}; imagecodecs would keep them")
    stored = str(image.tile)  # describes the file's pixel layout; gone once they are loaded
    image.load()
    values = check_range(image)
    if values is not None:
        return _deep_colours(
            values.astype(np.uint16)[..., np.newaxis], image.info.get("transparency")
        )
    if ";16" in stored and not any(READ_AS_8 in note for note in notes):
        notes.append(READ_AS_8)
    return _shallow(image, image.info.get("icc_profile"), notes)


def _deep_colours(deep, transparent):
    """Splits uint16 channels into (pixels, alpha or None); one value may be transparent."""
    if deep.shape[-1] in (2, 4):
        return deep[..., :-1], np.ascontiguousarray(deep[..., -1])
    if transparent is None:
        return deep, None
    is_clear = (deep == np.asarray(transparent, np.uint16)).all(-1)
    return deep, np.where(is_clear, 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _shallow(image, profile, notes):
    """Returns (uint8 pixels [height, width, 1 or 3], alpha or None) of an image read in 8 bits."""
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in GRAY_MODES else "RGBA")
        alpha = np.array(image.getchannel("A"))
    if image.mode in GRAY_MODES:
        return np.array(image.convert("L"))[..., np.newaxis], alpha
    if image.mode == "CMYK":
        return np.array(_from_cmyk(image, profile, notes)), alpha
    pixels = np.array(image.convert("RGB"))
    if image.mode in CONVERTED_MODES:
        notes.append(f"{image.mode} converted to sRGB")
    return pixels, alpha


def _from_cmyk(image, profile, notes):
    try:
        inks = ImageCms.ImageCmsProfile(BytesIO(profile or b""))
        converted = ImageCms.profileToProfile(
            image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except Exception:  # no profile, a damaged one, or Pillow without its colour library
        notes.append("CMYK converted to RGB without a profile")
        return image.convert("RGB")
    notes.append("CMYK converted to sRGB")
    return converted


def to_8_bits(pixels):
    """Converts uint8 or uint16 pixels to uint8, rounded to nearest."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.round(pixels / np.float32(WHITE_16_BITS / WHITE)).astype(np.uint8)
