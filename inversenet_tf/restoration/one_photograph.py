"""Restores one photograph from file to file, with the metadata that it carries."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image

from inversenet_tf.imaging.files.deep_pixels import is_deep
from inversenet_tf.imaging.files.images import ImageReadError, opened, upright_size
from inversenet_tf.imaging.files.photographs import Photograph, read_photograph, to_8_bits
from inversenet_tf.imaging.files.pixels import to_channels
from inversenet_tf.imaging.files.written_photographs import write_photograph
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.tiling import check_restorable

MEMORY_ADVICE = "; use a smaller --max_memory"
GAP = 8  # white pixels between the two halves of a comparison


@dataclasses.dataclass(frozen=True)
class Job:
    """An image file, and the files to be made from it."""

    path: Path
    target: Path
    comparison: Path | None

    @property
    def is_done(self) -> bool:
        """Whether all results exist."""
        return self.target.exists() and (self.comparison is None or self.comparison.exists())


def restore_file(
    restorer: Restorer,
    job: Job,
    max_memory: int | None = None,
    skip_existing: bool = False,
    report: Callable[[float], None] | None = None,
    fits: dict[Path, Fit] | None = None,
) -> str | None:
    """Restores one image, and logs what its results could not preserve.

    Args:
        restorer, max_memory, skip_existing: as for `restore_files`.
        job: the image and its results.
        report: called from time to time with the fraction of the image that is done.
        fits: receives, under the image's path, how well it fits what the restorer restores.

    Returns:
        None, or the reason why the image could not be restored.
    """
    try:
        try:
            _check_header(restorer, job.path, max_memory)
            photograph = read_photograph(job.path)
            pixels, fit = restorer.restore_and_compare(photograph, job.path, max_memory, report)
            lost = _write(restorer, job, photograph, pixels, skip_existing)
        except tf.errors.ResourceExhaustedError:
            raise
        except ImageReadError:
            raise
        except (ValueError, tf.errors.OpError) as error:
            return f"Cannot restore {job.path}: {error}"
    except ImageReadError as error:
        return str(error)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        return f"Not enough memory for {job.path}{MEMORY_ADVICE}."
    if notes := [*photograph.notes, *lost]:
        logging.info("%s: %s.", job.path, ", ".join(notes))
    if fit is not None and fits is not None:
        fits[job.path] = fit
        logging.debug("%s: %s.", job.path, fit)
    return None


def _check_header(restorer, path, max_memory):
    """Raises ValueError, before decoding an image, if it cannot be restored in `max_memory`."""
    if max_memory is None:
        return
    with opened(path, path) as image:
        bytes_per_value = 2 if image.mode.startswith("I") or is_deep(image) else 1
    size, known = upright_size(path), restorer.kernel_side
    check_restorable(size, restorer.spec, max_memory, bytes_per_value, known)


def _write(restorer, job, photograph, pixels, skip_existing):
    """Writes the results of one image; returns what their formats could not hold."""
    scale = len(pixels) // len(photograph.pixels)
    # The comparison comes first, so that an image with a result is one that is done.
    if job.comparison is not None and not (skip_existing and job.comparison.exists()):
        measured = to_channels(photograph.pixels, restorer.measured_channels)
        plain = Photograph(
            photograph.pixels,
            profile=photograph.profile,
            is_stored_as_rgb=photograph.is_stored_as_rgb,
        )
        write_photograph(job.comparison, side_by_side(measured, pixels), plain)
    if skip_existing and job.target.exists():
        return []
    return write_photograph(job.target, pixels, photograph, scale)


def side_by_side(measured, restored):
    """The measurement, enlarged by nearest neighbour, beside the restored image.

    Args:
        measured: uint8 or uint16 [height, width, 1 or 3].
        restored: the same, of a multiple of that size.

    Returns:
        uint8 [height * scale, 2 * width * scale + GAP, 1 or 3], in colour if either is.
    """
    channels = max(measured.shape[-1], restored.shape[-1])
    height, width = restored.shape[:2]
    result = np.full((height, 2 * width + GAP, channels), np.iinfo(np.uint8).max, np.uint8)
    shown = Image.fromarray(to_channels(to_8_bits(measured), 3)).resize(
        (width, height), Image.Resampling.NEAREST
    )
    result[:, :width] = np.asarray(shown)[..., :channels]
    result[:, width + GAP :] = to_8_bits(restored)  # which repeats gray beside colours
    return result
