"""Restoring photographs with a trained model: single files and folders, with all they carry."""

import contextlib
import dataclasses
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image
from tqdm import tqdm

from inversenet_tf.imaging.checks import check_at_least
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.deep_pixels import is_deep
from inversenet_tf.imaging.files.images import ImageReadError, opened, upright_size
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.memory import memory_limit  # noqa: F401 (part of this room, too)
from inversenet_tf.imaging.files.paths import check_named, printable
from inversenet_tf.imaging.files.photographs import (
    Photograph,
    count_pixels,
    read_photograph,
    to_8_bits,
)
from inversenet_tf.imaging.files.pixels import to_channels
from inversenet_tf.imaging.files.targets import check_replaceable, pair_with_targets
from inversenet_tf.imaging.files.written_photographs import SAME, write_photograph
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.imaging.wording import counted
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.tiling import check_restorable

COMPARISONS = "comparisons"  # the directory below that of the results
GAP = 8  # white pixels between the two halves of a comparison


@dataclasses.dataclass(frozen=True)
class Job:
    """An image file and what is to be made of it."""

    path: Path
    target: Path
    comparison: Path | None


def restore_files(
    restorer: Restorer,
    source: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    max_memory: int | None = None,
    compare: bool = False,
    skip_existing: bool = False,
    parallel: int = 1,
    format: str = SAME,
) -> tuple[list[Path], dict[str, str]]:
    """Restores an image file, or all below a directory, into files of the same names.

    Each is read, restored and written before the next; what cannot be read, or restored in the
    memory there is, is named in a warning and skipped. At the end, those are counted that do not
    fit the degradation which the restorer undoes, see `Restorer.fit`, and the worst is named.

    Args:
        restorer: a `Restorer`, of whatever kind.
        source: file or directory.
        output: directory for the results; subdirectories are kept.
        overwrite: whether a result that exists may be replaced.
        max_memory: bytes that restoring one image may take; larger images are restored in
            tiles. None for no limit. A server's memory is its own.
        compare: whether to write measurement and result side by side, too, into
            `output/comparisons`.
        skip_existing: whether a result that exists stays, and only the others are made.
        parallel: images that are under way at once, which helps where a server restores them.
            Where one fails for all, the restorer is closed, so that the others do not wait.
        format: of the results: "png", "jpeg", "tiff", or "same" as each input, where that is one
            of these; PNG else. A JPEG gets the quality that its input has.

    Returns:
        (restored, skipped): list of the images' paths that were written, and dict from each file
        that could not be restored to the reason.

    Raises:
        ValueError: nothing to restore, a result that exists or would replace one of the images;
            raised before any work. Or: not one of the images could be restored.
        OSError: a result cannot be written, or a server went away; results until then are kept.
    """
    check_at_least("parallel", parallel, 1)
    if overwrite and skip_existing:
        raise ValueError("Expected overwrite or skip_existing. Received: both.")
    for path in (source, output):
        check_named(path)
    check_writable(output := Path(output).expanduser())
    # Two calls for one output take turns, so that each sees what the other has made.
    with held(output, wait=True):
        jobs = _jobs(source, output, overwrite or skip_existing, compare, format)
        return _restore_all(restorer, jobs, source, max_memory, skip_existing, parallel)


def _restore_all(restorer, jobs, source, max_memory, skip_existing, parallel):
    """What `restore_files` does while the output is its own."""
    missing = [job for job in jobs if not (skip_existing and _is_done(job))]
    if len(missing) < len(jobs):
        logging.info("Left as they are: %s.", counted(len(jobs) - len(missing), "result"))

    fits = {}

    def attempt(job, report=None):
        return restore_file(
            restorer, job, max_memory, skip_existing=skip_existing, report=report, fits=fits
        )

    if parallel == 1:
        restored, skipped = _restore_jobs(attempt, missing)
    else:
        restored, skipped = _restore_at_once(attempt, missing, parallel, restorer)
    _warn_of_misfits(fits)
    if skipped and not restored and len(missing) == len(jobs):
        raise ValueError(
            f"Expected images that can be restored in {source}. Received: {len(skipped)} that "
            f"cannot; the first: {next(iter(skipped.values()))}"
        )
    return restored, skipped


def _warn_of_misfits(fits: dict[Path, Fit]) -> None:
    """Logs how many photographs do not fit, and the worst of them, in one line."""
    misfits = {path: fit for path, fit in fits.items() if not fit.fits}
    if not misfits:
        return
    worst = max(misfits, key=lambda path: misfits[path].distance)
    logging.warning(
        "%d of %s not fit what the model restores, and the result is likely to be worse than the "
        "input: another blur, or none, or another boundary (--boundary=reflect for a "
        "camera's). The worst is %s: %s.",
        len(misfits),
        "1 photograph does" if len(fits) == 1 else f"{len(fits)} photographs do",
        printable(worst),
        misfits[worst],
    )


def _restore_jobs(attempt, jobs):
    """(restored, skipped) of one image after another."""
    restored, skipped = [], {}
    sizes = [count_pixels(job.path) for job in jobs]
    # Progress in pixels: photographs differ in size, and the time left should not.
    with tqdm(total=sum(sizes), desc="restoring", unit="pixel", unit_scale=True) as progress:
        for number, (job, size) in enumerate(zip(jobs, sizes, strict=True), 1):
            progress.set_postfix_str(f"image {number} of {len(jobs)}")
            before = progress.n

            def report(share, before=before, size=size):
                progress.update(int(before + share * size) - progress.n)

            with _counted(restored, jobs):
                reason = attempt(job, report)
            report(1.0)
            _sort_in(job, reason, restored, skipped)
    return restored, skipped


def _restore_at_once(attempt, jobs, parallel, restorer):
    """(restored, skipped) of several images at a time."""
    restored, skipped = [], {}
    # Threads that end with the program: one that waits for a silent server does not hold up Ctrl-C.
    with ThreadPool(parallel) as pool, _counted(restored, jobs):
        try:
            done = pool.imap_unordered(lambda job: (job, attempt(job)), jobs)
            for job, reason in tqdm(done, "restoring", len(jobs), unit="image"):
                _sort_in(job, reason, restored, skipped)
        finally:
            if len(restored) + len(skipped) < len(jobs):
                restorer.close()  # so that other threads stop waiting for the same server
    return sorted(restored), skipped


def _sort_in(job, reason, restored, skipped):
    """Puts an image that is done to the restored ones, or, with its reason, to the skipped."""
    if reason is None:
        restored.append(job.target)
    else:
        logging.warning("Skipped: %s", reason)
        skipped[str(job.path)] = reason


@contextlib.contextmanager
def _counted(restored, jobs):
    """An error that ends the work says how far it came."""
    try:
        yield
    except OSError as error:
        told = type(error)(
            f"{error} ({len(restored)} of {len(jobs)} images restored before; --skip_existing "
            "goes on from there)"
        )
        told.errno = error.errno
        raise told from error


def _jobs(source, output, may_exist, compare, format):
    """All `Job`s, none of which would write over an image or over another's result."""
    source, output = Path(source).expanduser(), Path(output).expanduser()
    pairs = pair_with_targets(source, output, may_exist, format)
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


def restore_file(
    restorer: Restorer,
    job: Job,
    max_memory: int | None = None,
    skip_existing: bool = False,
    report: Callable[[float], None] | None = None,
    fits: dict[Path, Fit] | None = None,
) -> str | None:
    """Restores one image, and tells in the log what its results could not keep.

    Args:
        restorer, max_memory, skip_existing: as for `restore_files`.
        job: the image and its results.
        report: called with the share of the image that is done, from time to time.
        fits: takes, by its path, how well the image fits what the restorer restores.

    Returns:
        None, or why it could not be restored.
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
        return f"Not enough memory for {job.path}; with a smaller --max_memory it takes less."
    if notes := [*photograph.notes, *lost]:
        logging.info("%s: %s.", job.path, ", ".join(notes))
    if fit is not None and fits is not None:
        fits[job.path] = fit
        logging.debug("%s: %s.", job.path, fit)
    return None


def _check_header(restorer, path, max_memory):
    """Raises ValueError where an image cannot be restored in the memory, before it is decoded."""
    if max_memory is None:
        return
    with opened(path, path) as image:
        bytes_per_value = 2 if image.mode.startswith("I") or is_deep(image) else 1
    check_restorable(upright_size(path), restorer.spec, max_memory, bytes_per_value)


def _write(restorer, job, photograph, pixels, skip_existing):
    """Writes the results of one image; returns what their formats could not hold."""
    scale = len(pixels) // len(photograph.pixels)
    # The comparison first: where the result stands, an interrupted call has done with the image.
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
