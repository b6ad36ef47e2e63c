"""The whole way: measurements, kernel, restorations at once, a network for the camera, a page."""

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
    """What was found and made.

    Attributes:
        estimate: the `KernelEstimate`.
        report: the page of results.
        export: the served model of the specialised network; None where none was asked for.
        evidence: {what is compared: its `Evidence`}; empty where all had been done before.
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
    """Finds the blur that measurements share, restores them, and makes a network for it.

    The same call goes on where an earlier one was interrupted, and one that had ended returns at
    once; with more minutes its network is trained on.

    Example:
        ```python
        calibration = inversenet_tf.calibrate("burst", "runs/camera", minutes=10)
        restorer = inversenet_tf.load(calibration.export)
        ```

    Args:
        measurements: directory of images that share a blur, as those of one shake of the camera or
            of one lens; or a single image.
        workdir: directory for everything that is found and made.
        model: what restores at once, as `load` takes it: one that can be told a kernel. Of a run of
            `train` for any blur the specialised network begins with the weights.
        boundary: "camera" where nothing is known beyond the frame; "circular" for simulations.
        minutes: to train the specialised network for; 0 for none.
        images: the sharp images that it is trained on, as `open_source` takes them.
        aligned: whether they are framed as the measurements are: the middle of each is taken as it
            is, instead of patches from anywhere, of several scales and in all orientations.
        trusted: as for `load`.
        max_memory: bytes that restoring one image may take; None for no limit.
        sharp_images: directory of sharp images of the measurements' class, size and framing, by
            which the kernel is found, see `ImageModel`; with the boundary "circular". The model
            "closed_form" also restores by them.

    Returns:
        A `Calibration`.

    Raises:
        ValueError: bad input, before any work; or no blur is found that can be trusted.
        Interrupted: SIGTERM came during the training, and its state is saved.
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
    """The `Calibration` that had ended before with as many minutes, or None."""
    facts = place.facts
    if facts.get("finished", {"minutes": -1})["minutes"] < settings.minutes:
        return None
    place.begin(settings.identity)
    logging.info("%s is finished; its results are in %s.", place.workdir, place.report)
    export = place.export if "exported_steps" in facts else None
    return Calibration(place.estimate(), place.report, export)


def _check_trainable(settings, place):
    """Raises ValueError for a training that could not be made whatever kernel is found."""
    stand_in = np.full((1, 3, 3), 1 / 9, np.float32)
    estimate = KernelEstimate(stand_in[0], 0.01, 1.0, plausible=stand_in)
    training_config(settings, place, estimate).validate()


def _estimate(settings, place):
    """What is found now or was before.

    Raises:
        ValueError: no blur that can be trusted.
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
            f"Expected measurements that show one blur. Received: {settings.measurements}, where "
            f"none is found that can be trusted. {estimate.reason}"
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
    """With the network as it is now exported: what an earlier one has made goes."""
    steps = place.facts["exported_steps"]
    if place.facts.get("restored_after_steps") != steps:
        shutil.rmtree(place.restored, ignore_errors=True)
        place.keep(restored_after_steps=steps)
    _restore(settings, load(place.export), place.restored)
