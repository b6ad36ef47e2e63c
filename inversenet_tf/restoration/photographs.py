"""Restores all photographs of a folder, or one file."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from multiprocessing.pool import ThreadPool
from pathlib import Path

from absl import logging
from tqdm import tqdm

from inversenet_tf.imaging.checks import check_at_least
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.paths import check_named, printable
from inversenet_tf.imaging.files.photographs import count_pixels
from inversenet_tf.imaging.files.targets import check_replaceable, pair_with_targets
from inversenet_tf.imaging.files.written_photographs import SAME
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.imaging.wording import counted
from inversenet_tf.restoration.one_photograph import Job, restore_file
from inversenet_tf.restoration.restorers import Restorer

COMPARISONS = "comparisons"  # the directory below that of the results


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

    By default each image is read, restored and written before the next. Images that cannot be read
    or restored, as for lack of memory, are skipped with a warning. A final warning counts the
    images that do not fit the degradation which the restorer undoes, see `Restorer.fit`, and names
    the worst.

    Args:
        restorer: a `Restorer` of any kind.
        source: file or directory.
        output: directory for the results; subdirectories are kept.
        overwrite: whether existing results may be replaced.
        max_memory: bytes that restoring one image may take; larger images are restored in
            tiles. None for no limit. It does not limit a server's memory.
        compare: whether to write measurement and result side by side as well, into
            `output/comparisons`.
        skip_existing: whether existing results are kept and only the missing ones made.
        parallel: number of images restored at a time, which helps if a server restores them. An
            error that ends the work closes the restorer, so that the other images do not wait.
        format: of the results: "png", "jpeg", "tiff", or "same" for that of each input, if it is
            one of these, and otherwise PNG. A JPEG gets the quality that its input has.

    Returns:
        (restored, skipped): list of the paths of the images written, and dict from each file that
        could not be restored to the reason.

    Raises:
        ValueError: nothing to restore, or a result that exists or would replace one of the images;
            raised before any work. Or: not one of the images could be restored.
        OSError: a result cannot be written, or a server is gone; earlier results are kept.
    """
    check_at_least("parallel", parallel, 1)
    fits = {}

    def attempt(job, report=None):
        return restore_file(
            restorer, job, max_memory, skip_existing=skip_existing, report=report, fits=fits
        )

    with work_for(source, output, overwrite, compare, skip_existing, format) as work:
        if parallel == 1:
            restored, skipped = _restore_jobs(attempt, work.missing)
        else:
            restored, skipped = _restore_at_once(attempt, work.missing, parallel, restorer)
        warn_of_misfits(misfits_of(fits), len(fits))
        work.check_some_restored(restored, skipped)
    return restored, skipped


@dataclasses.dataclass(frozen=True)
class Work:
    """The work of one call.

    Attributes:
        source: the file or directory of the images.
        missing: the `Job`s to be done.
        existing: the number of the others, whose existing results are kept.
    """

    source: Path
    missing: list[Job]
    existing: int

    def check_some_restored(self, restored: list[Path], skipped: dict[str, str]) -> None:
        """Raises ValueError if images were tried, but none of the source has a result.

        Args:
            restored, skipped: as `restore_files` returns them.
        """
        if skipped and not restored and not self.existing:
            raise ValueError(
                f"Expected images that can be restored in {self.source}. Received: {len(skipped)} "
                f"that cannot; the first: {next(iter(skipped.values()))}"
            )


@contextlib.contextmanager
def work_for(
    source: str | Path,
    output: str | Path,
    overwrite: bool,
    compare: bool,
    skip_existing: bool,
    format: str,
) -> Iterator[Work]:
    """Yields the `Work` of a call, with the output locked against other calls in the meantime.

    Args:
        source, output, overwrite, compare, skip_existing, format: as for `restore_files`.

    Raises:
        ValueError: nothing to restore, or a result that may not be written.
    """
    if overwrite and skip_existing:
        raise ValueError("Expected overwrite or skip_existing. Received: both.")
    for path in (source, output):
        check_named(path)
    check_writable(output := Path(output).expanduser())
    # Two calls with one output take turns, so that each sees the other's results.
    with held(output, wait=True):
        jobs = _jobs(source, output, overwrite or skip_existing, compare, format)
        missing = [job for job in jobs if not (skip_existing and job.is_done)]
        existing = len(jobs) - len(missing)
        if existing:
            logging.info("Unchanged: %s.", counted(existing, "result"))
        yield Work(Path(source), missing, existing)


def misfits_of(fits: dict[Path, Fit]) -> dict[Path, Fit]:
    """The photographs that do not fit the degradation which the model restores, worst first."""
    misfits = [path for path, fit in fits.items() if not fit.fits]
    return {path: fits[path] for path in sorted(misfits, key=lambda path: -fits[path].distance)}


def warn_of_misfits(misfits: Mapping[Path, object], compared: int) -> None:
    """Logs how many photographs do not fit, and the worst of them, in one line.

    Args:
        misfits: how far each of them is from fitting, worst first.
        compared: the number of all photographs, including those that fit.
    """
    if not misfits:
        return
    worst, how = next(iter(misfits.items()))
    logging.warning(
        "%d of %s not fit what the model restores, and the result is likely to be worse than the "
        "input: another blur, or none, or another boundary (--boundary=reflect for a "
        "camera's). The worst is %s: %s.",
        len(misfits),
        "1 photograph does" if compared == 1 else f"{compared} photographs do",
        printable(worst),
        how,
    )


def _restore_jobs(attempt, jobs):
    """Restores one image after another; returns (restored, skipped)."""
    restored, skipped = [], {}
    sizes = [count_pixels(job.path) for job in jobs]
    # Progress in pixels, since photographs differ in size and the remaining time is shown.
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
    """Restores several images at a time; returns (restored, skipped)."""
    restored, skipped = [], {}
    # Threads that end with the program, so that one waiting for a silent server does not delay
    # Ctrl-C.
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
    """Adds a finished image to the restored ones or, with the reason, to the skipped ones."""
    if reason is None:
        restored.append(job.target)
    else:
        logging.warning("Skipped: %s", reason)
        skipped[str(job.path)] = reason


@contextlib.contextmanager
def _counted(restored, jobs):
    """Adds to an error that ends the work how many images were restored before it."""
    try:
        yield
    except OSError as error:
        told = type(error)(
            f"{error} ({len(restored)} of {len(jobs)} images restored before; use "
            "--skip_existing to resume from there)"
        )
        told.errno = error.errno
        raise told from error


def _jobs(source, output, may_exist, compare, format):
    """All `Job`s, none of which may overwrite an image or the result of another."""
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
