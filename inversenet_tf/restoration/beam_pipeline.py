"""Restores all photographs of a folder by an Apache Beam pipeline, on one machine or many.

Every worker loads the export once, and restores one photograph after another with the same function
as `restore_files`. All workers must see the same disk.
"""

import contextlib
import csv
import dataclasses
import errno
import io
import pickle
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import inversenet_tf.tensorflow_without_keras  # noqa: F401 # isort: skip (first: a worker's too)
from absl import logging

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.locks import InUse, word_of_holder
from inversenet_tf.imaging.files.written_photographs import SAME
from inversenet_tf.imaging.physics.degradation import Fit
from inversenet_tf.restoration.one_photograph import Job, restore_file
from inversenet_tf.restoration.photographs import misfits_of, warn_of_misfits, work_for
from inversenet_tf.restoration.restorers import Restorer

try:
    import apache_beam as beam
    from apache_beam.ml.inference.base import ModelHandler, RunInference
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineState, create_runner
except ImportError as error:
    raise ImportError(
        'Expected Apache Beam, which runs the pipeline (pip install ".[beam]" in the project). '
        f"Received: {error}"
    ) from error

DIRECT = "direct"
RUNNERS = {  # short names, in addition to those that Beam knows
    DIRECT: "DirectRunner",
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
}
# Defaults: the caller's options come later and override them.
DIRECT_OPTIONS = (
    "--direct_running_mode=multi_processing",  # required by several workers
    # There are no triggers. Without this option, Beam would download and run a program, Prism.
    "--allow_unsafe_triggers",
    "--default_sdk_harness_log_level=ERROR",
)
# Errors of a disk that takes no more results: they end the pipeline, which would otherwise fail
# image by image.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

REPORT = "report.csv"  # in the directory of the results
COLUMNS = ["input", "outcome", "detail"]
FAILED, MISFIT = "failed", "does not fit"
LOST = "The runner lost it; use --skip_existing to try again"  # Dask's can, see `finish_bundle`

# The fields of a `Job`. Unpickling a `Job` itself would import TensorFlow before it is made quiet.
Parts = tuple[Path, Path, Path | None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one image.

    Attributes:
        path: of the image.
        reason: why it could not be restored; None if it was.
        fit: how well it fits the degradation that the restorer undoes; None if that is not known.
    """

    path: Path
    reason: str | None = None
    fit: Fit | None = None


class RestorationHandler(ModelHandler[Parts, Outcome, Restorer]):
    """The model of Beam's RunInference: a restorer that writes each image after restoring it.

    Args:
        restorer: one that can be pickled, such as an `ExportedRestorer` or a wrapper of one.
        output: the directory of the results, which this process has locked. Once another call has
            locked it, workers that have outlived their launcher stop working.
        max_memory: as for `restore_files`.
        overwrite: whether existing results are made again. Otherwise a bundle that is retried skips
            the images that it has already restored.

    Raises:
        ValueError: a restorer that cannot be sent to workers.
    """

    def __init__(
        self,
        restorer: Restorer,
        output: Path,
        max_memory: int | None = None,
        overwrite: bool = False,
    ):
        super().__init__()
        # As bytes: Beam unpickles the handler for every bundle, but the model is to be loaded once.
        self._pickled = _pickled(restorer)
        self._output, self._holder = output, word_of_holder(output)
        self._max_memory = max_memory
        self._overwrite = overwrite

    def load_model(self) -> Restorer:
        """Loads the restorer, which Beam keeps for the lifetime of the worker's process."""
        return pickle.loads(self._pickled)

    def run_inference(
        self, batch: Sequence[Parts], model: Restorer, inference_args: dict | None = None
    ) -> Iterable[Outcome]:
        """Restores images from file to file, each given by the fields of a `Job`.

        Raises:
            OSError: the disk takes no more results, or another call has locked their directory.
        """
        return [self._outcome(Job(*parts), model) for parts in batch]

    def should_skip_batching(self) -> bool:
        """True: images differ in size, so they come as lists of one and Beam forms no batches."""
        return True

    def _outcome(self, job, restorer):
        if word_of_holder(self._output) != self._holder:
            raise InUse(f"{self._output} is in use by another call; this one stops.")
        if job.is_done and not self._overwrite:
            return Outcome(job.path)
        fits = {}
        try:
            reason = restore_file(
                restorer, job, self._max_memory, skip_existing=not self._overwrite, fits=fits
            )
        except Exception as error:  # whatever it is, the other images are not affected
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            reason = f"Cannot restore {job.path}: {type(error).__name__}: {error}"
        return Outcome(job.path, reason, fits.get(job.path))


def restore_files_by_beam(
    restorer: Restorer,
    source: str | Path,
    output: str | Path,
    *,
    runner: str = DIRECT,
    options: Sequence[str] = (),
    overwrite: bool = False,
    max_memory: int | None = None,
    compare: bool = False,
    skip_existing: bool = False,
    format: str = SAME,
) -> tuple[list[Path], dict[str, str]]:
    """Does the same as `restore_files`, by a pipeline whose workers restore images in parallel.

    Results have the same names and the same bytes. Images that could not be restored, and those
    that do not fit the degradation which the restorer undoes, are listed in `output/report.csv`,
    which is written at the end.

    Args:
        restorer: an `ExportedRestorer`, or a wrapper of one, that each worker loads.
        source, output, overwrite, compare, skip_existing, format: as for `restore_files`. With
            `skip_existing`, a call resumes one that was killed.
        runner: "direct" for processes on this machine, "dask", or a name that Beam knows.
        options: of Beam, such as "--direct_num_workers=4", and of the runner.
        max_memory: as for `restore_files`, for each of the images restored at a time.

    Returns:
        (restored, skipped), as `restore_files` does; the paths are absolute.

    Raises:
        ValueError: as for `restore_files`; an unknown runner or option; a restorer that cannot be
            sent to workers; a file of another kind in place of the report.
        OSError: the pipeline failed; earlier results are kept.
    """
    options = _pipeline_options(runner, options)
    _pickled(restorer)  # raises before any work
    # A worker may have another working directory.
    source, output = (Path(path).expanduser().absolute() for path in (source, output))
    report = output / REPORT
    with work_for(source, output, overwrite, compare, skip_existing, format) as work:
        _check_is_report(report)
        if not work.missing:
            return [], {}
        handler = RestorationHandler(restorer, output, max_memory, overwrite)
        _run(_pipeline(work.missing, handler, report, options), len(work.missing))
        skipped, misfits = _read_report(report)
        restored = [job.target for job in work.missing if str(job.path) not in skipped]
        for reason in skipped.values():
            logging.warning("Skipped: %s", reason)
        warn_of_misfits(misfits, len(restored))
        work.check_some_restored(restored, skipped)
    return restored, skipped


def _pickled(restorer):
    try:
        return pickle.dumps(restorer)
    except Exception as error:  # pickle raises what the parts of an object raise
        raise ValueError(
            "Expected an export, which every worker of a pipeline loads for itself. Received: a "
            f"restorer that cannot be sent to workers ({error})"
        ) from error


def _pipeline_options(runner, options):
    """Beam's options, checked as far as they can be before any work."""
    name = RUNNERS.get(runner, runner)
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(
            f"Expected {', '.join(RUNNERS)} or a runner of Apache Beam. Received: {runner} "
            f"({error})"
        ) from error
    defaults = DIRECT_OPTIONS if runner == DIRECT else ()
    parsed = PipelineOptions([*defaults, *options, f"--runner={name}"])
    # argparse would end the program and list all options that there are.
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            parsed.get_all_options()
        except SystemExit as error:
            raise ValueError(
                f"Expected options that Apache Beam takes. Received: {shlex.join(options)} "
                f"({said.getvalue().strip().rpartition('error: ')[2]})"
            ) from error
    return parsed


def _pipeline(jobs, handler, report, options):
    images = [job.path for job in jobs]
    pipeline = beam.Pipeline(options=options)
    (
        pipeline
        | "Images" >> beam.Create([(job.path, job.target, job.comparison) for job in jobs])
        | "Spread over workers" >> beam.Reshuffle()
        | "One at a time" >> beam.Map(lambda parts: [parts])
        | "Restore" >> RunInference(handler)
        | "Put together" >> beam.WithKeys(None)
        | "Wait for all" >> beam.GroupByKey()
        | "Report" >> beam.MapTuple(lambda _, outcomes: _write_report(report, images, outcomes))
    )
    return pipeline


def _run(pipeline, count):
    """Runs a pipeline to its end; raises OSError if it fails, whatever error the runner has."""
    try:
        state = pipeline.run().wait_until_finish()
        reason = f"it ended as {state}"
    except Exception as error:
        logging.debug("The pipeline's error:", exc_info=True)
        state, reason = PipelineState.FAILED, _last_line(error)
    if state != PipelineState.DONE:
        raise OSError(
            f"The pipeline over {count} images failed: {reason}. Results so far are kept; "
            "use --skip_existing to resume from there"
        )


def _last_line(error):
    """The last line of an error whose text holds the whole traceback of a worker."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else type(error).__name__


def _write_report(path, images, outcomes):
    """Writes a row for every image that was not restored or does not fit."""
    outcomes = {outcome.path: outcome for outcome in outcomes}
    reasons = {image: outcomes[image].reason if image in outcomes else LOST for image in images}
    failed = [(image, FAILED, reason) for image, reason in reasons.items() if reason is not None]
    fits = {image: outcome.fit for image, outcome in outcomes.items() if outcome.fit is not None}
    misfits = [(image, MISFIT, fit) for image, fit in misfits_of(fits).items()]
    with written_aside(path) as partial, _opened(partial, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            (image, outcome, " ".join(str(detail).split()))
            for image, outcome, detail in [*failed, *misfits]
        )


def _read_report(path):
    """Two dicts from an image's path to its detail: failed images, and those that do not fit."""
    with _opened(path) as file:
        rows = list(csv.reader(file))[1:]
    return tuple(
        {image: detail for image, outcome, detail in rows if outcome == kind}
        for kind in (FAILED, MISFIT)
    )


def _check_is_report(path):
    """Raises ValueError if a file that is no report would be replaced by one."""
    if path.exists():
        with _opened(path) as file:
            if next(csv.reader(file), None) != COLUMNS:
                raise ValueError(
                    f"Expected no other file where the report is written. Received: {path}"
                )


def _opened(path, mode="r"):
    """Opens a CSV file; names of files that are not valid text are kept as they are."""
    return open(path, mode, newline="", encoding="utf-8", errors="surrogateescape")
