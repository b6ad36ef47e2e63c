"""A whole calibration: measurements, kernel, restorations, a network for the camera, a page."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.calibration.evidence import Evidence
from inversenet_tf.calibration.place import Place
from inversenet_tf.calibration.report import write_report
from inversenet_tf.calibration.settings import DEFAULT_MODEL, Settings
from inversenet_tf.calibration.specialised import specialise, training_config
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.loading import load
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.restoration.unknown_blur import (
    description_of,
    search_bar,
    shared_blur,
)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The results of a calibration.

    Attributes:
        estimate: the `KernelEstimate`.
        report: the page of results.
        export: the served model of the specialised network; None if there is none.
        evidence: {images that are compared: their `Evidence`}; empty if all was done before.
    """

    estimate: KernelEstimate
    report: Path
    export: Path | None
    evidence: dict[str, Evidence] = dataclasses.field(default_factory=dict)


def calibrate(
    measurements: str | Path,
    workdir: str | Path,
    *,
    model: str = DEFAULT_MODEL,
    boundary: str = "camera",
    minutes: float = 0.0,
    images: str = "photos",
    aligned: bool = False,
    trusted: bool = False,
    max_memory: int | None = None,
    sharp_images: str | Path | None = None,
) -> Calibration:
    """Finds the blur that measurements share, restores them, and trains a network for it.

    The same call resumes an interrupted calibration, and returns at once if it is finished; with
    more minutes, its network is trained further.

    Example:
        ```python
        calibration = inversenet_tf.calibrate("burst", "runs/camera", minutes=10)
        restorer = inversenet_tf.load(calibration.export)
        ```

    Args:
        measurements: directory of images that share a blur, such as those of one camera shake or
            of one lens; or a single image.
        workdir: directory for all results.
        model: restores before anything is trained; as for `load`, one that takes a kernel. If it
            is a preset or a run of `train` for any blur, the specialised network starts from its
            weights.
        boundary: "camera" where nothing is known beyond the frame; "circular" for simulations.
        minutes: training time of the specialised network; 0 for none.
        images: the sharp images to train it on, as for `open_source`.
        aligned: whether these are framed like the measurements: the middle of each is used as it
            is, instead of patches from anywhere, at several scales and in all orientations.
        trusted: as for `load`.
        max_memory: bytes that restoring one image may take; None for no limit.
        sharp_images: directory of sharp images of the measurements' class, size and framing, with
            which to find the kernel, see `ImageModel`; needs the boundary "circular". The model
            "closed_form" also restores with them.

    Returns:
        A `Calibration`.

    Raises:
        ValueError: bad input, before any work; or no blur is found that can be trusted.
        Interrupted: SIGTERM came during the training, whose state is saved.
    """
    places = (Path(path).expanduser() for path in (measurements, workdir))
    settings = Settings(
        *places,
        str(model),
        boundary,
        minutes,
        images,
        aligned,
        trusted,
        max_memory,
        None if sharp_images is None else Path(sharp_images).expanduser(),
    )
    settings.check()
    place = Place(settings.workdir)
    if finished := _finished(settings, place):
        return finished
    if minutes:
        settings.check_images()
        _check_trainable(settings, place)
    restorer = settings.open_model()
    with held(settings.workdir):
        place.begin(settings.identity)
        estimate = _estimate(settings, place)
        _restore(settings, restorer.told(estimate.kernel, estimate.noise), place.at_once)
        if minutes:
            specialise(settings, place, estimate)
            _restore_anew(settings, place)
        evidence = write_report(settings, place, estimate)
        place.keep(finished={"minutes": minutes})
    export = place.export if minutes else None
    return Calibration(estimate, place.report, export, evidence)


def _finished(settings, place):
    """The `Calibration` if it was finished before with at least as many minutes, or None."""
    facts = place.facts
    if facts.get("finished", {"minutes": -1})["minutes"] < settings.minutes:
        return None
    place.begin(settings.identity)
    logging.info("%s is finished; its results are in %s.", place.workdir, place.report)
    export = place.export if "exported_steps" in facts else None
    return Calibration(place.estimate(), place.report, export)


def _check_trainable(settings, place):
    """Raises ValueError for a training that is impossible whatever kernel is found."""
    stand_in = np.full((1, 3, 3), 1 / 9, np.float32)
    estimate = KernelEstimate(stand_in[0], 0.01, 1.0, plausible=stand_in)
    training_config(settings, place, estimate).validate()


def _estimate(settings, place):
    """The stored estimate, or else a new one.

    Raises:
        ValueError: it shows no blur that can be trusted.
    """
    estimate = place.estimate()
    if estimate is None:
        model = settings.image_model
        with search_bar() as progress:
            estimate = shared_blur(
                settings.paths(), settings.boundary, progress=progress, image_model=model
            )
        place.keep_estimate(estimate)
    if not estimate.is_blur:
        raise ValueError(
            f"Expected measurements that share one blur. Received: {settings.measurements}, whose "
            f"blur cannot be estimated reliably. {estimate.reason}"
        )
    logging.info("%s", description_of(estimate))
    return estimate


def _restore(settings, restorer, folder):
    """Restores the measurements that are not restored yet."""
    restore_files(
        restorer,
        settings.measurements,
        folder,
        max_memory=settings.max_memory,
        skip_existing=True,
    )


def _restore_anew(settings, place):
    """Restores with the exported network; removes the restorations of an earlier one."""
    steps = place.facts["exported_steps"]
    if place.facts.get("restored_after_steps") != steps:
        shutil.rmtree(place.restored, ignore_errors=True)
        place.keep(restored_after_steps=steps)
    _restore(settings, load(place.export), place.restored)
