"""Restoring photographs with a trained model: single files and folders, with all they carry."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image
from tqdm import tqdm

from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.images import LUMA, ImageReadError, opened, upright_size
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.memory import memory_limit  # noqa: F401 (part of this room, too)
from inversenet_tf.imaging.files.photographs import (
    Photograph,
    count_pixels,
    read_photograph,
    to_8_bits,
    write_photograph,
)
from inversenet_tf.imaging.files.targets import check_replaceable, pair_with_targets
from inversenet_tf.imaging.wording import counted
from inversenet_tf.restoration.tiling import check_restorable, restore_pixels

COMPARISONS = "comparisons"  # the directory below that of the results
GAP = 8  # white pixels between the two halves of a comparison


@dataclasses.dataclass(frozen=True)
class Job:
    """An image file and what is to be made of it."""

    path: Path
    target: Path
    comparison: Path | None


def restore_files(
    restorer, source, output, overwrite=False, max_memory=None, compare=False, skip_existing=False
):
    """Restores an image file, or all below a directory, into PNG files of the same names.

    Each is read, restored and written before the next; what cannot be read, or restored in the
    memory there is, is named in a warning and skipped.

    Args:
        restorer: a `Restorer` or an `ExportedRestorer`.
        source: file or directory.
        output: directory for the results; subdirectories are kept.
        overwrite: whether a result that exists may be replaced.
        max_memory: bytes that restoring one image may take; larger images are restored in
            tiles. None for no limit.
        compare: whether to write measurement and result side by side, too, into
            `output/comparisons`.
        skip_existing: whether a result that exists stays, and only the others are made.

    Returns:
        (restored, skipped): list of the images' paths that were written, and dict from each file
        that could not be restored to the reason.

    Raises:
        ValueError: nothing to restore, a result that exists or would replace one of the images;
            raised before any work. Or: not one of the images could be restored.
        OSError: a result cannot be written.
    """
    if overwrite and skip_existing:
        raise ValueError("Expected overwrite or skip_existing. Received: both.")
    check_writable(output := Path(output).expanduser())
    # Two calls for one output take turns, so that each sees what the other has made.
    with held(output, wait=True):
        return _restore_all(restorer, source, output, overwrite, max_memory, compare, skip_existing)


def _restore_all(restorer, source, output, overwrite, max_memory, compare, skip_existing):
    """What `restore_files` does while the output is its own."""
    jobs = _jobs(source, output, overwrite or skip_existing, compare)
    missing = [job for job in jobs if not (skip_existing and _is_done(job))]
    if len(missing) < len(jobs):
        logging.info("Left as they are: %s.", counted(len(jobs) - len(missing), "result"))
    restored, skipped = _restore_jobs(restorer, missing, max_memory, skip_existing)
    if skipped and not restored and len(missing) == len(jobs):
        raise ValueError(
            f"Expected images that can be restored in {source}. Received: {len(skipped)} that "
            f"cannot; the first: {next(iter(skipped.values()))}"
        )
    return restored, skipped


def _restore_jobs(restorer, jobs, max_memory, skip_existing):
    restored, skipped = [], {}
    sizes = [count_pixels(job.path) for job in jobs]
    # Progress in pixels: photographs differ in size, and the time left should not.
    with tqdm(total=sum(sizes), desc="restoring", unit="pixel", unit_scale=True) as progress:
        for number, (job, size) in enumerate(zip(jobs, sizes, strict=True), 1):
            progress.set_postfix_str(f"image {number} of {len(jobs)}")
            before = progress.n

            def report(share, before=before, size=size):
                progress.update(int(before + share * size) - progress.n)

            reason = _attempt(restorer, job, max_memory, skip_existing, report)
            report(1.0)
            if reason is None:
                restored.append(job.target)
            else:
                logging.warning("Skipped: %s", reason)
                skipped[str(job.path)] = reason
    return restored, skipped


def _jobs(source, output, may_exist, compare):
    """All `Job`s, none of which would write over an image or over another's result."""
    source, output = Path(source).expanduser(), Path(output).expanduser()
    pairs = pair_with_targets(source, output, may_exist)
    if not compare:
        return [Job(path, target, None) for path, target in pairs]
    jobs = [
        Job(path, target, output / COMPARISONS / target.relative_to(output))
        for path, target in pairs
    ]
    comparisons = [job.comparison for job in jobs]
    check_replaceable(comparisons, [job.path for job in jobs], may_exist)
    twice = set(comparisons) & {job.target for job in jobs}
    if twice:
        raise ValueError(
            f"Expected no images below a directory {COMPARISONS} of the input, where comparisons "
            f"are asked for. Received a result at {min(twice)}."
        )
    return jobs


def _is_done(job):
    return job.target.exists() and (job.comparison is None or job.comparison.exists())


def _attempt(restorer, job, max_memory, skip_existing, report):
    """Restores one image; returns None, or why it could not be."""
    try:
        try:
            _check_header(restorer, job.path, max_memory)
            photograph = read_photograph(job.path)
            pixels = restore_photograph(restorer, photograph, max_memory, report)
            _write(restorer, job, photograph, pixels, skip_existing)
        except tf.errors.ResourceExhaustedError:
            raise
        except ImageReadError:
            raise
        except (ValueError, tf.errors.OpError) as error:
            return f"Cannot restore {job.path}: {error}"
    except ImageReadError as error:
        return str(error)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        return f"Not enough memory for {job.path}; with a smaller --max_memory it takes less."
    if photograph.notes:
        logging.info("%s: %s.", job.path, ", ".join(photograph.notes))
    return None


def _check_header(restorer, path, max_memory):
    """Raises ValueError where an image cannot be restored in the memory, before it is decoded."""
    if max_memory is None:
        return
    with opened(path, path) as image:
        bytes_per_value = 2 if image.mode.startswith("I") else 1
    check_restorable(upright_size(path), restorer.spec, max_memory, bytes_per_value)


def _write(restorer, job, photograph, pixels, skip_existing):
    scale = restorer.spec.scale
    # The comparison first: where the result stands, an interrupted call has done with the image.
    if job.comparison is not None and not (skip_existing and job.comparison.exists()):
        measured = to_channels(photograph.pixels, restorer.spec.measured_channels)
        plain = Photograph(photograph.pixels, profile=photograph.profile)
        write_photograph(job.comparison, side_by_side(measured, pixels), plain)
    if not (skip_existing and job.target.exists()):
        write_photograph(job.target, pixels, photograph, scale)


def restore_photograph(restorer, photograph, max_memory=None, report=None):
    """Restores one `Photograph`, in the colours that the network works in.

    A gray photograph stays gray, unless the network is one that colours; of a colour photograph, a
    network of one channel gets and gives the luma, or the colours it finds for it.

    Args:
        restorer: a `Restorer` or an `ExportedRestorer`.
        photograph: a `Photograph`.
        max_memory, report: as for `restore_pixels`.

    Returns:
        The pixels, of the photograph's type: [height * scale, width * scale, 1 or 3].
    """
    measured = to_channels(photograph.pixels, restorer.spec.measured_channels)
    restored = restore_pixels(restorer, measured, max_memory, report)
    if photograph.pixels.shape[-1] < measured.shape[-1]:
        return to_channels(restored, 1)
    return restored


def to_channels(pixels, channels):
    """Integer pixels of 1 or 3 channels as 1 (BT.601 luma, rounded) or 3 (repeated)."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    luma = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(LUMA):  # one by one: it takes the memory of one
        luma += pixels[..., channel] * weight
    return np.round(luma).astype(pixels.dtype)[..., np.newaxis]


def side_by_side(measured, restored):
    """The measurement, every pixel as a square, beside the restored image.

    Args:
        measured: uint8 or uint16 [height, width, 1 or 3].
        restored: the same of a multiple of its size.

    Returns:
        uint8 [height * scale, 2 * width * scale + GAP, 1 or 3], in colour where either is.
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
