"""What the page accepts, and what it tells visitors when something goes wrong."""

import dataclasses
import threading
from pathlib import Path

from absl import logging

from inversenet_tf.imaging.files.images import ImageReadError, upright_size

ARRAY_SUFFIXES = (".npy", ".mat")  # of kernels that are no images
UNEXPECTED = "An unexpected error occurred. See the server's log for details."


class Cancelled(Exception):
    """The visitor has asked to stop."""


class Told(Exception):
    """An error whose message is for the visitor and reveals nothing of the server."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of one upload.

    Attributes:
        size: bytes.
        pixels: of the image, as a large one takes long.
        arrays: bytes, of a file of arrays with a kernel.
    """

    size: int = 100_000_000
    pixels: int = 60_000_000
    arrays: int = 20_000_000

    def check(self, path: Path) -> None:
        """Raises `Told` for a file that is too large or no image, judging by its header alone."""
        path = Path(path)
        _check_bytes(path, self.size)
        height, width = _size_of(path)
        if height * width > self.pixels:
            raise Told(
                f"Expected at most {self.pixels / 1e6:g} megapixels. Received: {width}x{height} "
                f"pixels in {path.name}."
            )

    def check_kernel(self, path: Path, largest: tuple[int, int]) -> None:
        """Raises `Told` for the file of a kernel that is too large, before it is read.

        Args:
            path: of the file, an image or one of arrays, whose shapes are not looked at.
            largest: (height, width) that the kernel may have.
        """
        path = Path(path)
        if path.suffix.lower() in ARRAY_SUFFIXES:
            _check_bytes(path, self.arrays)
        else:
            _check_bytes(path, self.size)
            check_kernel_size(path, _size_of(path), largest)


def check_kernel_size(path: Path, size: tuple[int, int], largest: tuple[int, int]) -> None:
    """Raises `Told` for a kernel larger than the photograph.

    Args:
        path: of the kernel's file.
        size: (height, width) of the kernel.
        largest: (height, width) that it may have.
    """
    if any(side > most for side, most in zip(size, largest, strict=True)):
        raise Told(
            f"Expected a kernel no larger than the photograph, {largest[1]}x{largest[0]} pixels. "
            f"Received: {size[1]}x{size[0]} pixels in {path.name}."
        )


def _check_bytes(path, most):
    if path.stat().st_size > most:
        raise Told(f"Expected at most {most / 1e6:g} MB. Received: more in {path.name}.")


def _size_of(path):
    """(height, width) of an image file by its header."""
    try:
        return upright_size(path)
    except ImageReadError as error:
        raise Told(without_paths(str(error), path)) from error


def without_paths(message: str, *paths: Path) -> str:
    """Returns a message with paths reduced to the names that the visitor knows."""
    for path in paths:
        message = message.replace(str(path), Path(path).name)
    return message


def for_visitors(error: Exception, *paths: Path) -> str:
    """Returns the visitor's message for an error; an unexpected one only goes into the log.

    Args:
        error: the error that was raised.
        paths: of files that the message may name.
    """
    if isinstance(error, Told):
        return str(error)
    if isinstance(error, ValueError):
        logging.info("%s", error)
        return without_paths(str(error), *paths)
    logging.error("Unexpected error on the page.", exc_info=error)
    return UNEXPECTED


class Progress:
    """Reports the progress of a piece of work, and ends it if the visitor has cancelled it.

    Args:
        show: called with (fraction, words).
        stop: set it to end the work at the next step.
    """

    def __init__(self, show, stop: threading.Event):
        self._show, self._stop = show, stop

    def __call__(self, fraction: float, words: str) -> None:
        """Shows the progress, or raises `Cancelled` if the work is to end."""
        if self._stop.is_set():
            raise Cancelled
        self._show(min(fraction, 1.0), words)

    def between(self, first: float, last: float, words: str):
        """Returns a function that reports the part of the work from `first` to `last`."""
        return lambda fraction: self(first + fraction * (last - first), words)
