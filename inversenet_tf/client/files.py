"""Image files in the form that a server accepts."""

import io
from pathlib import Path

from inversenet_tf.imaging.files.images import EXIF_ORIENTATION, ImageReadError, opened
from inversenet_tf.imaging.files.photographs import Photograph
from inversenet_tf.imaging.files.written_photographs import png_bytes

# Files that the server reads as `read_photograph` does.
TAKEN_FORMATS = ("PNG", "JPEG")
TAKEN_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def contents_of(path: str | Path) -> bytes:
    """The bytes of a file.

    Raises:
        ImageReadError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageReadError(f"Cannot read the image {path}: {error}.") from error


def sendable(contents: bytes, photograph: Photograph) -> bytes:
    """An image in the form that the server accepts: upright, as PNG or JPEG.

    Args:
        contents: of the file, bytes; returned unchanged if the server reads them correctly.
        photograph: the `Photograph` in it.

    Returns:
        The contents of a PNG or JPEG file, bytes.
    """
    with opened(io.BytesIO(contents), "to be sent") as image:
        # The server would take gray that is stored as RGB for colours.
        if _is_taken(image) and not photograph.is_stored_as_rgb:
            return contents
    return png_bytes(photograph.pixels)


def _is_taken(image):
    return (
        image.format in TAKEN_FORMATS
        and image.mode in TAKEN_MODES
        and getattr(image, "n_frames", 1) == 1
        and image.getexif().get(EXIF_ORIENTATION, 1) == 1
    )
