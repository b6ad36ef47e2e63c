"""The page's work on photographs, apart from its interface: preview, find the blur, restore."""

import contextlib
import dataclasses
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from inversenet_tf.imaging.files.images import ImageReadError, upright_size
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.files.written_photographs import SAME, result_suffix
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import from_file
from inversenet_tf.models import kernel_use
from inversenet_tf.page.limits import Limits, Progress, Told, check_kernel_size, without_paths
from inversenet_tf.page.previews import described, preview_size, write_preview
from inversenet_tf.restoration.one_photograph import MEMORY_ADVICE, Job, restore_file
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.unknown_blur import (
    UnknownBlurRestorer,
    description_of,
    with_kernel,
)

FIND, NONE, FILE = "estimate it", "none", "from a file"
KEPT = 7200  # seconds that results stay; the page has copied them to its own cache long before
OWN_NOISE = "The given noise has no effect, as the model knows its own noise."
SEARCHED = 0.7  # of the work is done, about, when the search for a kernel ends
POINT = np.ones((1, 1), np.float32)  # the kernel that does not blur


@dataclasses.dataclass(frozen=True)
class Wish:
    """How a photograph is to be restored.

    Attributes:
        kernel: one of FIND, NONE, FILE.
        kernel_file: for FILE.
        noise: standard deviation, with white as 1; None for the estimate, or for rounding alone.
        format: of the result, as for `restore_files`.
    """

    kernel: str = FIND
    kernel_file: Path | None = None
    noise: float | None = None
    format: str = SAME


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a restoration.

    Attributes:
        result: file of the restored photograph, with its metadata.
        before, after: files of previews of the same size.
        kernel: the one that was used, or None for the model's own.
        confidence: in the estimated kernel, from 0 to 1; None if no blur was found.
        words: a sentence or two on what was found and done.
    """

    result: Path
    before: Path
    after: Path
    kernel: np.ndarray | None
    confidence: float | None
    words: str


class Workshop:
    """Restores uploads, with a folder of results for each that is removed after `KEPT` seconds.

    Args:
        folder: for the results.
        limits: of an upload.
    """

    def __init__(self, folder: Path, limits: Limits | None = None):
        self._folder, self._limits = Path(folder), limits or Limits()
        self._estimates = {}

    def look_at(self, path: Path) -> tuple[Path, str]:
        """Returns a preview of an upload, and a line about it.

        Raises:
            Told: the upload is too large, or cannot be read as an image.
        """
        path = Path(path)
        self._limits.check(path)
        photograph = _read(path)
        size = preview_size(*photograph.pixels.shape[:2])
        preview = write_preview(self._new_folder() / "before.jpg", photograph, size)
        return preview, described(photograph, path.name)

    def restore(self, path: Path, restorer: Restorer, wish: Wish, progress: Progress) -> Outcome:
        """Restores an upload as wished.

        Raises:
            Told: the upload cannot be restored, or not as wished.
            Cancelled: by `progress`.
        """
        path = Path(path)
        self._limits.check(path)
        progress(0.0, "Reading")
        estimate, kernel = None, None
        if wish.kernel == FIND:
            estimate = self._estimate(path, restorer, progress)
            kernel = estimate.kernel
            restorer = UnknownBlurRestorer(restorer, wish.noise, shared=estimate)
        else:
            kernel = self._kernel_of(wish, path, restorer)
            if kernel is POINT:
                restorer = restorer.told(kernel, wish.noise)
            elif kernel is not None:
                restorer = with_kernel(restorer, kernel, wish.noise)
        folder = self._new_folder()  # once the search is over, as it is kept for a limited time
        target = folder / f"{path.stem}-restored{result_suffix(path, wish.format)}"
        report = progress.between(SEARCHED, 0.95, "Restoring")
        report(0.0)
        reason = restore_file(restorer, Job(path, target, None), memory_limit(), report=report)
        if reason is not None:
            # A visitor has no flags.
            raise Told(without_paths(reason.replace(MEMORY_ADVICE, ""), path))
        progress(0.95, "Drawing")
        outcome = _outcome(path, target, estimate, kernel)
        if kernel is None and wish.noise is not None:
            return dataclasses.replace(outcome, words=f"{outcome.words} {OWN_NOISE}")
        return outcome

    def _estimate(self, path, restorer, progress):
        """The blur of an upload, estimated only once however often it is restored."""
        if restorer.kernel_use == kernel_use.NONE:
            raise Told(
                f'Expected the blur "{NONE}" for a model of one blur, which knows its own. '
                f'Received: "{FIND}".'
            )
        key = (path, path.stat().st_mtime_ns)
        if key not in self._estimates:
            pixels = _read(path).pixels
            report = progress.between(0.02, SEARCHED, "Estimating the blur")
            try:
                self._estimates[key] = estimate_kernel(pixels, progress=report)
            except ValueError as error:
                raise Told(str(error)) from error
        return self._estimates[key]

    def _kernel_of(self, wish, path, restorer):
        """The kernel to give to the restorer of the upload `path`, or None for its own."""
        if wish.kernel == NONE:
            # With a point as kernel, a model for any blur only removes noise.
            return POINT if restorer.kernel_use == kernel_use.REQUIRED else None
        if wish.kernel_file is None:
            raise Told("Expected a kernel file (.png, .npy or .mat). Received: none.")
        if restorer.kernel_use == kernel_use.NONE:
            raise Told(
                "Expected a model that accepts a given kernel. Received: one for a single blur."
            )
        file = Path(wish.kernel_file)
        largest = tuple(restorer.scale * side for side in upright_size(path))
        self._limits.check_kernel(file, largest)
        try:
            kernel = from_file(file)
        except (ValueError, OSError) as error:
            raise Told(without_paths(str(error), file)) from error
        check_kernel_size(file, kernel.shape[:2], largest)
        return kernel

    def _new_folder(self):
        """Makes a folder for results, and removes those whose results are old."""
        for folder in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another visitor's work has removed it
                if time.time() - folder.stat().st_mtime > KEPT:
                    shutil.rmtree(folder, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=self._folder))


def _read(path):
    try:
        return read_photograph(path)
    except ImageReadError as error:
        raise Told(without_paths(str(error), path)) from error


def _outcome(path, target, estimate: KernelEstimate | None, kernel):
    photograph, restored = _read(path), _read(target)
    size = preview_size(*restored.pixels.shape[:2])
    return Outcome(
        result=target,
        before=write_preview(target.with_name("before.jpg"), photograph, size),
        after=write_preview(target.with_name("after.jpg"), restored, size),
        kernel=kernel,
        confidence=estimate.confidence if estimate is not None and estimate.is_blur else None,
        words=_words(estimate, kernel),
    )


def _words(estimate, kernel):
    if estimate is not None:
        return description_of(estimate)
    if kernel is None:
        return "Restored for the blur that the model was trained for."
    if kernel.size == 1:
        return "Only noise was removed, no blur."
    return f"Restored with the kernel from the file, {kernel.shape[1]}x{kernel.shape[0]} pixels."
