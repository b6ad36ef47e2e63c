"""The settings of a calibration, and their checks before any work."""

import dataclasses
import functools
import math
from pathlib import Path

from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.imaging.checks import check_at_least, check_choice
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.images import ImageReadError, upright_size
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.files.paths import canonical_path
from inversenet_tf.imaging.files.targets import pair_with_targets
from inversenet_tf.imaging.physics.image_model import ImageModel, check_boundary
from inversenet_tf.imaging.physics.kernel_estimation import LEAST_SIDE
from inversenet_tf.loading import load
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration import closed_form
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.restoration.unknown_blur import model_of_class
from inversenet_tf.shipped import preset_or_path, presets
from inversenet_tf.trained_run import load_trained

DEFAULT_MODEL = "any_blur"  # restores before anything is trained
BOUNDARIES = ("camera", "circular")
LARGEST_PATCH = 96  # side in pixels of a training patch
LEAST_PATCH = 16


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of `calibrate`; the fields are its arguments."""

    measurements: Path
    workdir: Path
    model: str = DEFAULT_MODEL
    boundary: str = "camera"
    minutes: float = 0.0
    images: str = "photos"
    aligned: bool = False
    trusted: bool = False
    max_memory: int | None = None
    sharp_images: Path | None = None

    @property
    def is_circular(self) -> bool:
        """Whether the measurements' blur wraps around at the borders."""
        return self.boundary == "circular"

    @property
    def run(self) -> Path | None:
        """The folder of the run or preset from whose weights a training can start, or None."""
        path = preset_or_path(self.model)
        return path if (path / CONFIG_FILE).is_file() else None

    @property
    def identity(self) -> dict:
        """The settings that must be the same to resume in a work directory."""
        is_preset = self.model in presets()
        model = canonical_path(self.model) if self.run and not is_preset else self.model
        return {
            "measurements": canonical_path(self.measurements),
            "files": {str(path): path.stat().st_size for path in sorted(self.paths())},
            "boundary": self.boundary,
            "model": model,
            "sharp_images": canonical_path(self.sharp_images),
        }

    @property
    def restores_class(self) -> bool:
        """Whether the closed form restores with the image model of the sharp images."""
        return self.model == closed_form.NAME and self.sharp_images is not None

    @functools.cached_property
    def image_model(self) -> ImageModel | None:
        """The model of the sharp images, learned on first use; None without them.

        Raises:
            ValueError: no model can be made of the sharp images.
        """
        if self.sharp_images is None:
            return None
        return model_of_class(self.sharp_images, self.boundary)

    def paths(self) -> list[Path]:
        """The files of the measurements."""
        return [path for path, _ in pair_with_targets(self.measurements, self.workdir, True)]

    def check(self) -> None:
        """Raises ValueError for faults that show without opening a model or decoding an image."""
        check_choice("boundary", self.boundary, BOUNDARIES)
        check_at_least("minutes", self.minutes, 0)
        if self.aligned and not self.is_circular:
            raise ValueError(
                "Expected the boundary circular with aligned images, as patches for a camera are "
                f"cut at random, with a margin. Received: {self.boundary}"
            )
        if self.sharp_images is not None:
            check_boundary(self.boundary)
            if not self.sharp_images.is_dir():
                raise ValueError(
                    f"Expected a directory of sharp images. Received: {self.sharp_images}"
                )
            self._check_framing()
        check_writable(self.workdir)
        source = self.measurements.resolve()
        if source.is_dir() and source in (self.workdir.resolve(), *self.workdir.resolve().parents):
            raise ValueError(
                "Expected a workdir outside the measurements, as its pictures would be taken for "
                f"measurements. Received: {self.workdir} in {self.measurements}"
            )
        sizes = self._sizes()
        least = min(min(size) for size in sizes)
        if least < LEAST_SIDE:
            raise ValueError(
                f"Expected measurements of at least {LEAST_SIDE} pixels a side. Received: one of "
                f"{least}"
            )
        if self.is_circular and len(set(sizes)) > 1:
            raise ValueError("Expected circular measurements of one size. Received: several sizes")

    def _check_framing(self):
        """Raises ValueError for sharp images of another size than the measurements."""
        sharp = list_images(self.sharp_images)[0]
        sizes = {upright_size(sharp), *self._sizes()}
        if len(sizes) > 1:
            raise ValueError(
                "Expected sharp images with the size and framing of the measurements. "
                f"Received: height and width {sorted(sizes)}, with {sharp}"
            )

    def check_images(self) -> None:
        """Raises ValueError if the sharp images cannot be trained on."""
        source = open_source(self.images, TRAINING, minimum_side=self.patch_side())
        if source.paired:
            raise ValueError(
                "Expected sharp images without measurements, as these are simulated with the "
                f"estimated kernel. Received: {self.images}"
            )

    def patch_side(self, multiple: int = LEAST_PATCH) -> int:
        """The side of a training patch: a multiple of `multiple` that suits the measurements."""
        largest = max(multiple, LARGEST_PATCH // multiple * multiple)
        if not self.is_circular:
            return largest
        least = min(min(size) for size in self._sizes())
        return min(largest, max(least // multiple, 1) * multiple)

    def _sizes(self):
        """(height, width) of each measurement that can be read."""
        sizes, faults = [], []
        for path in self.paths():
            try:
                sizes.append(upright_size(path))
            except ImageReadError as error:  # the restoration reports it and skips the image
                faults.append(error)
        if not sizes:
            raise ValueError(
                f"Expected readable images in {self.measurements}. Received: none"
                f"; the first: {faults[0]}"
            )
        return sizes

    def open_model(self) -> Restorer:
        """The model that restores at once.

        Raises:
            ValueError: it cannot be loaded, takes no kernel or changes the size; or no model can
                be made of the sharp images.
        """
        boundary = "circular" if self.is_circular else "reflect"
        if self.restores_class:
            return load(self.model, image_model=self.image_model)
        if self.model == closed_form.NAME:
            return closed_form.ClosedFormRestorer(boundary=boundary)
        if self.run:
            model = ModelRestorer(load_trained(self.run, boundary=boundary)[0])
        else:
            model = load(self.model, trusted=self.trusted)
        if model.kernel_use == kernel_use.NONE or model.scale != 1:
            raise ValueError(
                "Expected a model that accepts a given blur kernel: closed_form, or one trained "
                f"with --config=any_blur. Received: {self.model}"
            )
        return model


def steps_of(minutes: float, seconds_per_step: float) -> int:
    """The number of training steps that fit into some minutes, at least one."""
    return max(1, math.floor(60 * minutes / seconds_per_step))
