"""Photographs as people keep them: read with all that belongs to them, written as PNG with it."""

import dataclasses
import struct
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.images import (
    EXIF_ORIENTATION,
    WHITE,
    WHITE_16_BITS,
    ImageReadError,
    check_range,
    opened,
)

GRAY_MODES = ("1", "L", "LA", "La")
CONVERTED_MODES = ("CMYK", "LAB", "HSV")
PROFILE_KINDS = {1: b"GRAY", 3: b"RGB "}  # by channels, as the header of an ICC profile names them
PROFILE_KIND = slice(16, 20)  # where it does
UPRIGHT = {  # what an EXIF orientation asks for
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LEAST_GAMMA, GREATEST_GAMMA = 0.01, 100.0
GAMMA_UNITS = 1e5  # in which a PNG's gAMA chunk counts
STALE_SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
# A TIFF keeps its EXIF among the tags that say how its own pixels lie; these say something else.
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


@dataclasses.dataclass
class Photograph:
    """An image file's content.

    Fields:
        pixels: uint8 or uint16 [height, width, 1 or 3], upright.
        alpha: uint8 [height, width], 255 where opaque, or None.
        profile: the ICC profile of the file, or None; none where the colours were converted.
        exif: the EXIF block, without orientation, thumbnail and what described the old pixels;
            or None.
        resolution: (horizontal, vertical) in pixels per inch, or None.
        gamma: the exponent that a PNG says its values were encoded by, or None.
        notes: what was changed in reading, each in a few words.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    resolution: tuple | None = None
    gamma: float | None = None
    notes: list = dataclasses.field(default_factory=list)


def read_photograph(file, name=None):
    """Reads an image file of any kind that Pillow reads.

    Grayscale stays so, with 16 bits a pixel where the file has them. Of several frames the first
    is read. CMYK is converted to sRGB by the profile in the file.

    Args:
        file: its path, or a binary file object.
        name: what an error calls the file; None for `file` itself.

    Returns:
        A `Photograph`.

    Raises:
        ImageReadError: the file is missing, truncated, no image, or has pixels whose range is not
            defined.
    """
    with opened(file, name or file) as image:
        return _photograph(image)


def count_pixels(path):
    """Pixels of an image file, from its header alone; 0 where it cannot be read."""
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
    stored = str(image.tile)  # names how the pixels lie in the file; gone once they are loaded
    image.load()
    profile = image.info.get("icc_profile") or None
    gamma = image.info.get("gamma")
    orientation, exif = _exif(image, notes)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    if "LA;16" in stored:  # which Pillow reads as RGBA
        image = image.convert("LA")
    values = check_range(image)
    if values is not None:
        pixels, alpha = _deep(values, image.info.get("transparency"), notes)
    else:
        pixels, alpha = _shallow(image, profile, notes)
        if ";16" in stored:
            notes.append("16 bits read as 8")
    if image.mode in CONVERTED_MODES:
        profile = None  # it described the colours that were
    return Photograph(
        *(pixels, alpha, profile, exif, _resolution(image), _gamma(gamma)), notes=notes
    )


def _exif(image, notes):
    """(orientation, EXIF block without it); damage costs the block, not the image."""
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
        return orientation, exif.tobytes() if len(exif) else None  # which leaves the thumbnail out
    except Exception:  # Pillow raises many kinds
        notes.append("damaged EXIF left out")
        return orientation, None


def _resolution(image):
    """Pixels per inch, where a file gives a sane one."""
    try:
        horizontal, vertical = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    is_sane = 0 < horizontal < 1e6 and 0 < vertical < 1e6
    return (horizontal, vertical) if is_sane else None


def _gamma(value):
    """The exponent of a PNG, where it is a sane one."""
    return value if isinstance(value, float) and LEAST_GAMMA <= value <= GREATEST_GAMMA else None


def _deep(values, transparent, notes):
    """(uint16 pixels, None) of grayscale of more than 8 bits; (uint8 pixels, alpha) beside one."""
    pixels = values.astype(np.uint16)[..., np.newaxis]
    if transparent is None:
        return pixels, None
    notes.append("16 bits read as 8")  # Pillow writes no alpha beside 16 bits
    return to_8_bits(pixels), np.where(values == transparent, 0, 255).astype(np.uint8)


def _shallow(image, profile, notes):
    """(uint8 pixels [height, width, 1 or 3], alpha or None) of what is not `_deep`."""
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in GRAY_MODES else "RGBA")
        alpha = np.array(image.getchannel("A"))
    if image.mode in GRAY_MODES:
        return np.array(image.convert("L"))[..., np.newaxis], alpha
    if image.mode == "CMYK":
        return np.array(_from_cmyk(image, profile, notes)), alpha
    pixels = np.array(image.convert("RGB"))
    if image.mode == "P" and (pixels == pixels[..., :1]).all():
        return pixels[..., :1].copy(), alpha
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
    """uint8 or uint16 pixels -> uint8, rounded to nearest."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.round(pixels / np.float32(WHITE_16_BITS / WHITE)).astype(np.uint8)


def write_photograph(path, pixels, photograph, scale=1):
    """Writes pixels as PNG with what belongs to a photograph, whole or not at all.

    16 bits are kept for grayscale without alpha. A profile goes along where it is of the same kind
    of colours as the pixels.

    Args:
        path: of the file.
        pixels: uint8 or uint16 [height, width, 1 or 3].
        photograph: the `Photograph` whose alpha, profile, EXIF, resolution and gamma are written.
        scale: how much larger `pixels` are than its own; the alpha is upsampled alike.

    Raises:
        OSError: the file cannot be written.
    """
    channels = pixels.shape[-1]
    bands = [pixels]
    if channels == 3 or photograph.alpha is not None:
        bands = [to_8_bits(pixels)]
    if photograph.alpha is not None:
        alpha = Image.fromarray(photograph.alpha)
        if scale > 1:
            alpha = alpha.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.LANCZOS)
        bands.append(np.asarray(alpha)[..., np.newaxis])
    together = bands[0] if len(bands) == 1 else np.concatenate(bands, axis=-1)
    picture = Image.fromarray(together[..., 0] if together.shape[-1] == 1 else together)
    with written_aside(path) as partial:
        picture.save(partial, "PNG", **_belongings(photograph, channels, scale))


def _belongings(photograph, channels, scale):
    """Options of Pillow's PNG writer."""
    options = {}
    profile = photograph.profile
    if profile is not None and profile[PROFILE_KIND] == PROFILE_KINDS[channels]:
        options["icc_profile"] = profile
    if photograph.gamma is not None:
        chunks = PngImagePlugin.PngInfo()
        chunks.add(b"gAMA", struct.pack(">I", round(GAMMA_UNITS * photograph.gamma)))
        options["pnginfo"] = chunks
    if photograph.exif is not None:
        options["exif"] = photograph.exif
    if photograph.resolution is not None:
        options["dpi"] = tuple(scale * value for value in photograph.resolution)
    return options
