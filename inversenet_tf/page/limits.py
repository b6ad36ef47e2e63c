"""What the page takes, and what it tells when something goes wrong."""

import dataclasses
import threading
from pathlib import Path

from absl import logging

from inversenet_tf.imaging.files.images import ImageReadError, upright_size

UNEXPECTED = "Something went wrong that should not. The server's log says what."


class Cancelled(Exception):
    """The visitor has asked to stop."""


class Told(Exception):
    """A sentence for the visitor, without anything of the server in it."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of one upload.

    Attributes:
        size: bytes.
        pixels: of the image; those of a large one take their time.
    """

    size: int = 100_000_000
    pixels: int = 60_000_000

    def check(self, path: Path) -> None:
        """Raises `Told` for a file that is larger, or holds no image, from its header alone."""
        path = Path(path)
        if path.stat().st_size > self.size:
            raise Told(f"Expected at most {self.size / 1e6:g} MB. Received: more in {path.name}.")
        try:
            height, width = upright_size(path)
        except ImageReadError as error:
            raise Told(without_paths(str(error), path)) from error
        if height * width > self.pixels:
            raise Told(
                f"Expected at most {self.pixels / 1e6:g} megapixels. Received: {width}x{height} "
                f"pixels in {path.name}."
            )


def without_paths(message: str, *paths: Path) -> str:
    """A message with files named as the visitor knows them."""
    for path in paths:
        message = message.replace(str(path), Path(path).name)
    return message


def for_visitors(error: Exception, *paths: Path) -> str:
    """What to tell of an error; one that nobody expected goes into the log, not to the visitor.

    Args:
        error: that was raised.
        paths: of files that the message may name.
    """
    if isinstance(error, Told):
        return str(error)
    if isinstance(error, ValueError):
        logging.info("%s", error)
        return without_paths(str(error), *paths)
    logging.error("The page met an error.", exc_info=error)
    return UNEXPECTED


class Progress:
    """Tells how far a piece of work is, and ends it where the visitor has asked for that.

    Args:
        show: called with (fraction, words).
        stop: set to end the work at the next step.
    """

    def __init__(self, show, stop: threading.Event):
        self._show, self._stop = show, stop

    def __call__(self, fraction: float, words: str) -> None:
        """Raises `Cancelled` where the work is to end."""
        if self._stop.is_set():
            raise Cancelled
        self._show(min(fraction, 1.0), words)

    def between(self, first: float, last: float, words: str):
        """A function of the fraction of a part of the work, from `first` to `last` of all."""
        return lambda fraction: self(first + fraction * (last - first), words)
