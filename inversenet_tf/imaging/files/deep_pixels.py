"""Reads 16-bit colours, or gray with alpha, from PNG and TIFF files; Pillow reads them as 8."""

import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.files.memory import check_fits

DEEP = 16  # bits
BITS_PER_SAMPLE, PLANAR = 258, 284  # tags of a TIFF
SEPARATE_PLANES = 2
RGB_OR_GRAY = ("MINISBLACK", "RGB")  # photometric kinds of a TIFF that need no conversion
ASSOCIATED, UNASSOCIATED = "ASSOCALPHA", "UNASSALPHA"  # colours premultiplied by alpha, or not


def is_deep(image):
    """Whether a Pillow image, not loaded yet, has 16 bits that Pillow would read as 8."""
    if image.mode.startswith("I"):  # gray without alpha, whose 16 bits Pillow keeps
        return False
    if image.format == "TIFF":
        return set(image.tag_v2.get(BITS_PER_SAMPLE, ())) == {DEEP}
    return image.format == "PNG" and f";{DEEP}" in str(image.tile)


def deep_pixels(image):
    """Returns the pixels of an image that `is_deep`, in 16 bits.

    Args:
        image: a Pillow image, opened and not loaded.

    Returns:
        uint16 [height, width, 1 to 4], not yet upright, in which 2 and 4 channels are gray and RGB
        with alpha; or None where Pillow's 8 bits have to do: for CMYK and CIELAB, and for a TIFF
        whose compression no installed package reads.

    Raises:
        ValueError: the file is damaged, too large for the memory, or misread even by Pillow.
    """
    check_fits(8 * image.width * image.height, f"{image.width}x{image.height} pixels of 16 bits")
    image.fp.seek(0)
    pixels = _of_png(image) if image.format == "PNG" else _of_tiff(image)
    if pixels is not None and pixels.shape[:2] != (image.height, image.width):
        raise ValueError("its pixels do not match the size in its header")
    return pixels


def _of_png(image):
    try:
        return tf.io.decode_png(image.fp.read(), dtype=tf.uint16).numpy()
    except tf.errors.OpError as error:
        raise ValueError("damaged or truncated PNG") from error


def _of_tiff(image):
    import tifffile  # only a few need it

    with tifffile.TiffFile(image.fp) as file:
        page = file.pages[0]
        if page.photometric.name not in RGB_OR_GRAY:
            return None
        try:
            pixels = page.asarray()
        except MemoryError:
            raise
        except Exception as error:  # each codec raises its own kind
            if "imagecodecs" in str(error):  # tifffile names the package it lacks
                return _read_by_pillow(image)
            raise ValueError("damaged or truncated TIFF") from error
        if page.planarconfig == SEPARATE_PLANES and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, -1)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        return _with_plain_alpha(pixels, [extra.name for extra in page.extrasamples])


def _read_by_pillow(image):
    """Returns None; raises ValueError for separate planes, which Pillow would misread as noise."""
    if image.tag_v2.get(PLANAR) == SEPARATE_PLANES:
        raise ValueError(
            "a TIFF of 16 bits in compressed planes, which needs imagecodecs "
            "(pip install imagecodecs)"
        )
    return


def _with_plain_alpha(pixels, extras):
    """Returns colours that are not premultiplied, with the first extra channel if it is alpha."""
    channels = pixels.shape[-1] - len(extras)
    if not extras or extras[0] not in (ASSOCIATED, UNASSOCIATED):
        return pixels[..., :channels]
    pixels = pixels[..., : channels + 1]
    if extras[0] == UNASSOCIATED:
        return pixels
    alpha = pixels[..., channels:].astype(np.float32)
    white = np.float32(np.iinfo(pixels.dtype).max)
    plain = pixels[..., :channels] * (white / np.maximum(alpha, 1.0))
    return np.concatenate(
        [np.round(np.minimum(plain, white)).astype(pixels.dtype), pixels[..., channels:]], axis=-1
    )
