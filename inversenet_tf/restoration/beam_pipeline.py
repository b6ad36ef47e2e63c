"""Restoring all photographs of a folder by a pipeline of Apache Beam, on one machine or many.

Every worker loads the export once, and restores one photograph after another by the function that
`restore_files` calls, too. All of them see the same disk.
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
RUNNERS = {  # short names, beside those that Beam knows
    DIRECT: "DirectRunner",
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
}
# Defaults: the caller's options come later, and so they win.
DIRECT_OPTIONS = (
    "--direct_running_mode=multi_processing",  # as several workers need it
    # There are no triggers. Without it, Beam would download a program, Prism, and run that.
    "--allow_unsafe_triggers",
    "--default_sdk_harness_log_level=ERROR",
)
# Errors of a disk that takes no more results: the pipeline ends, instead of failing image by image.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

REPORT = "report.csv"  # in the directory of the results
COLUMNS = ["input", "outcome", "detail"]
FAILED, MISFIT = "failed", "does not fit"
LOST = "The runner lost it; --skip_existing tries it again"  # Dask's can, see `finish_bundle`

# The fields of a `Job`; unpickled itself, it would import TensorFlow before that is made quiet.
Parts = tuple[Path, Path, Path | None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Attributes:
        path: of the image.
        reason: why it could not be restored; None where it was.
        fit: how well it fits what the restorer restores; None where that is not known.
    """

    path: Path
    reason: str | None = None
    fit: Fit | None = None


class RestorationHandler(ModelHandler[Parts, Outcome, Restorer]):
    """The model of Beam's RunInference: a restorer, which writes each image that it restores.

    Args:
        restorer: one that can be pickled, as an `ExportedRestorer` and what is built around it.
        output: the directory of the results, which this process holds now. Once another call
            holds it, workers that have outlived this one's launcher do nothing more.
        max_memory: as for `restore_files`.
        overwrite: whether results that exist are made again. Otherwise a bundle that is tried
            again leaves the images which it has done.

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
        # As bytes: Beam unpickles the handler for every bundle, and the model is loaded once.
        self._pickled = _pickled(restorer)
        self._output, self._holder = output, word_of_holder(output)
        self._max_memory = max_memory
        self._overwrite = overwrite

    def load_model(self) -> Restorer:
        """The restorer, which Beam keeps as long as the worker's process lasts."""
        return pickle.loads(self._pickled)

    def run_inference(
        self, batch: Sequence[Parts], model: Restorer, inference_args: dict | None = None
    ) -> Iterable[Outcome]:
        """Restores images from file to file, each a `Job` in its parts.

        Raises:
            OSError: the disk takes no more results, or another call holds their directory now.
        """
        return [self._outcome(Job(*parts), model) for parts in batch]

    def should_skip_batching(self) -> bool:
        """Whether Beam forms no batches: images differ in size, and come as lists of one."""
        return True

    def _outcome(self, job, restorer):
        if word_of_holder(self._output) != self._holder:
            raise InUse(f"{self._output} is in use by another call; this one has ended.")
        if job.is_done and not self._overwrite:
            return Outcome(job.path)
        fits = {}
        try:
            reason = restore_file(
                restorer, job, self._max_memory, skip_existing=not self._overwrite, fits=fits
            )
        except Exception as error:  # whatever it is, the other images have nothing to do with it
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
    """As `restore_files`, by a pipeline whose workers have images under way at once.

    Results have the same names and the same bytes. What could not be restored, and what does not
    fit what the restorer restores, is a row of `output/report.csv`, which appears at the end.

    Args:
        restorer: an `ExportedRestorer`, or one around it, that each worker loads.
        source, output, overwrite, compare, skip_existing, format: as for `restore_files`. A call
            that was killed goes on with `skip_existing`.
        runner: "direct" for processes on this machine, "dask", or a name that Beam knows.
        options: Beam's, such as "--direct_num_workers=4", and those of the runner.
        max_memory: as for `restore_files`, for each image that is under way.

    Returns:
        (restored, skipped), as `restore_files`; the paths are absolute.

    Raises:
        ValueError: as for `restore_files`; another runner; a restorer that cannot be sent to
            workers; a file of another kind where the report comes to lie.
        OSError: the pipeline failed; results until then are kept.
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
    # argparse ends the program, and tells at length of the options that there are.
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
    """Runs a pipeline to its end; every runner has errors of its own for one that fails."""
    try:
        state = pipeline.run().wait_until_finish()
        reason = f"it ended as {state}"
    except Exception as error:
        logging.debug("The pipeline's error:", exc_info=True)
        state, reason = PipelineState.FAILED, _last_line(error)
    if state != PipelineState.DONE:
        raise OSError(
            f"The pipeline over {count} images failed: {reason}. Results until then are kept; "
            "--skip_existing goes on from there"
        )


def _last_line(error):
    """What happened, of an error that holds the whole traceback of a worker."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else type(error).__name__


def _write_report(path, images, outcomes):
    """Writes a row for every image that was not restored, or does not fit."""
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
    """(dict of the failed images' paths, dict of those that do not fit), each to its detail."""
    with _opened(path) as file:
        rows = list(csv.reader(file))[1:]
    return tuple(
        {image: detail for image, outcome, detail in rows if outcome == kind}
        for kind in (FAILED, MISFIT)
    )


def _check_is_report(path):
    """Raises ValueError where a file that is no report would be replaced by one."""
    if path.exists():
        with _opened(path) as file:
            if next(csv.reader(file), None) != COLUMNS:
                raise ValueError(
                    f"Expected no other file where the report comes to lie. Received: {path}"
                )


def _opened(path, mode="r"):
    """A file of CSV; names of files may be no text at all, and are kept as they are."""
    return open(path, mode, newline="", encoding="utf-8", errors="surrogateescape")
