"""Verifies, in a fresh process and on real images, that an export does what the model does."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from inversenet_tf.config import Config
from inversenet_tf.data import open_held_out
from inversenet_tf.imaging.config import CUSTOM, GIVEN
from inversenet_tf.imaging.data.pairs import evaluation_pairs, read_pairs
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.pixels import WHITE, from_integers, to_luma, to_uint8
from inversenet_tf.imaging.inputs import measurements_of
from inversenet_tf.imaging.physics import kernels
from inversenet_tf.imaging.physics.operators import Operator, build_operator
from inversenet_tf.models import kernel_use
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.restoration.signature_names import (
    FROM_BYTES,
    FROM_BYTES_WITH_KERNEL,
    INTERMEDIATE,
    WITH_KERNEL,
)
from inversenet_tf.serving.fresh_process import answers_of, verdict
from inversenet_tf.serving.saved_models import SERVING_DEFAULT
from inversenet_tf.trained_run import kept_operator

EXAMPLES = 5
SIZES = ((37, 53), (64, 64), (255, 257), (512, 512))
BATCHES = (1, 5)
TOLD_NOISE = np.float32(0.01)  # given to a model with a kernel
HALF_A_LEVEL = 0.5 / WHITE  # what rounding to 8 bits may change


class StandIn(Operator):
    """Replaces an operator that no file holds by plain subsampling, and averaging of channels.

    Its measurements serve as well as true ones for comparing two networks, but their restorations
    cannot be scored.

    Args:
        scale: of the operator that it replaces.
        channels: of a measurement.
    """

    def __init__(self, scale: int, channels: int):
        self.scale = scale
        self._channels = channels

    def __call__(self, images):
        measurements = images[:, :: self.scale, :: self.scale]
        if self._channels < images.shape[-1]:
            return tf.reduce_mean(measurements, axis=-1, keepdims=True)
        return measurements

    def measurement_shape(self, image_shape):
        height, width, _ = image_shape
        return (height // self.scale, width // self.scale, self._channels)


def operator_for_examples(config: Config, workdir: str | Path | None = None) -> Operator:
    """The operator that makes the examples for a comparison.

    Args:
        config: of the run.
        workdir: of the run, if it is available.

    Returns:
        The run's own operator, or a `StandIn` if that was the caller's or its kernel is not
        available.
    """
    operator = config.operator
    if operator.name != CUSTOM and workdir is not None:
        return kept_operator(workdir, config)
    is_gone = operator.kernel == "file" and not Path(operator.kernel_file).expanduser().is_file()
    if operator.name == CUSTOM or operator.kernel == GIVEN or is_gone:
        return StandIn(operator.scale, config.measured_channels)
    return build_operator(operator)


def verify(
    saved_model: str | Path,
    model: InverseNet,
    config: Config,
    workdir: str | Path,
    *,
    precision: str,
    data: str | None = None,
    python: str | None = None,
) -> dict:
    """Compares the signatures of an export that restore images with the model it was made from.

    Measurements of real images, mirrored or cropped to all of `SIZES` and in all of `BATCHES`, go
    through both; so do a PNG, a JPEG and a gray PNG in one batch. Where a model may do without a
    kernel, files are compared with one and without. If the run's operator was the caller's own,
    which is not kept, a `StandIn` makes the measurements.

    Args:
        saved_model: the export's directory.
        model: the `InverseNet`.
        config, workdir: of its run.
        precision: of the model's hidden layers.
        data: a source of images; by default the config's validation source.
        python: an interpreter with TensorFlow that loads the export; None for this one.

    Returns:
        A dict of what was compared, and the largest difference.

    Raises:
        ValueError: images that cannot be used.
        VerificationFailed: the export does not load, or the largest difference is too large.
    """
    operator = operator_for_examples(config, workdir)
    source = open_held_out(data or config.data.validation, operator, config)
    images = [measurement for measurement, _ in measured_examples(source, operator, config)]
    files = _files(images)
    of_tensors, told_of_files = _requests(model, images), _told_of_files(model)
    of_files = [_request_of_files(files, told) for told in told_of_files]
    answers, version = answers_of(saved_model, of_tensors + of_files, python)
    answers_of_files = answers[len(of_tensors) :]
    differences = [_difference(model, *pair) for pair in zip(of_tensors, answers, strict=False)]
    differences += [
        _difference_of_files(model, told, *pair)
        for told, answer in zip(told_of_files, answers_of_files, strict=True)
        for pair in zip(files, answer["restored_bytes"], strict=True)
    ]
    return verdict(differences, precision) | {
        "image_sides": SIZES,
        "batches": BATCHES,
        "files": ["PNG", "JPEG", "gray PNG"],
        "data": {"source": source.spec, "images": source.names[: len(images)]},
        "tensorflow": version,
    }


def measured_examples(source, operator, config):
    """The first few examples of a source: pairs (measurement, image), [height, width, channels]."""
    training = config.training
    pairs = evaluation_pairs(
        source,
        operator,
        config.noise,
        config.data,
        batch_size=training.batch_size,
        seed=training.seed,
        limit=EXAMPLES,
        skip_unreadable=True,
    )
    return [
        pair
        for inputs, images in read_pairs(pairs)
        for pair in zip(measurements_of(inputs), images, strict=True)
    ]


def _requests(model, images):
    """List of (signature, its inputs) for all sizes and batches."""
    has_own = model.kernel_use != kernel_use.REQUIRED
    told = _told(model)
    tensors = [
        np.stack([of_size(images[i % len(images)], size, model.scale) for i in range(batch)])
        for size in SIZES
        for batch in BATCHES
    ]
    requests = [
        (signature, {"measurements": measurements} | _repeated(told, len(measurements)))
        for measurements in tensors
        for signature in (SERVING_DEFAULT, INTERMEDIATE if has_own else WITH_KERNEL)
    ]
    if model.kernel_use == kernel_use.OPTIONAL:
        with_kernel = {"measurements": tensors[0]} | _repeated(_blur(), len(tensors[0]))
        requests.append((WITH_KERNEL, with_kernel))
    return requests


def _told_of_files(model):
    """List of the inputs besides files, one for each signature that takes files."""
    return [{}, _blur()] if model.kernel_use == kernel_use.OPTIONAL else [_told(model)]


def _request_of_files(files, told):
    """(signature, its inputs) for a batch of files."""
    inputs = {"image_bytes": np.array(files, object)} | _repeated(told, len(files))
    return FROM_BYTES_WITH_KERNEL if told else FROM_BYTES, inputs


def _told(model):
    """The inputs besides one measurement that a model requires."""
    return _blur() if model.kernel_use == kernel_use.REQUIRED else {}


def _blur():
    return {"kernels": kernels.camera_shake(9), "noise_sigmas": TOLD_NOISE}


def of_size(measurement, size, scale):
    """The upper left part of a measurement, mirrored if too small, for an image of this size."""
    height, width = (max(side // scale, 1) for side in size)
    below, right = (
        max(wanted - present, 0)
        for wanted, present in zip((height, width), measurement.shape[:2], strict=True)
    )
    padding = ((0, below), (0, right), (0, 0))
    return np.pad(measurement, padding, mode="symmetric")[:height, :width]


def _files(images):
    """A PNG, a JPEG and a gray PNG of three images, which may be the same."""
    first, second, third = (images[index % len(images)] for index in range(3))
    return [_file(first, "PNG", "RGB"), _file(second, "JPEG", "RGB"), _file(third, "PNG", "L")]


def _file(image, kind, mode):
    pixels = np.repeat(to_uint8(image), 3 // image.shape[-1], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


def _repeated(told, count):
    """Repeats the inputs besides one measurement for a batch of them."""
    return {name: np.repeat(values[np.newaxis], count, axis=0) for name, values in told.items()}


def _difference(model, request, answer):
    """The largest difference of any output of one request of tensors."""
    expected = {name: images.numpy() for name, images in model.restore(request[1]).items()}
    expected.setdefault("inverted", expected["restored"])
    return max(float(np.abs(values - expected[name]).max()) for name, values in answer.items())


def _difference_of_files(model, told, file, answer):
    """The largest difference of one file beyond what rounding to 8 bits changes."""
    measurement = read_image(io.BytesIO(file), model.measured_channels)
    inputs = {"measurements": measurement[np.newaxis]} | _repeated(told, 1)
    expected = model.restore(inputs)["restored"].numpy()[0]
    with Image.open(io.BytesIO(answer)) as image:
        given = from_integers(np.asarray(image)).reshape(*image.size[::-1], -1)
    if given.shape[-1] < expected.shape[-1]:
        expected = to_luma(expected)
    return max(float(np.abs(given - expected).max()) - HALF_A_LEVEL, 0.0)
