"""The signatures of an exported InverseNet: the requests that a server answers.

Their graphs contain padding, bicubic upsampling and, as constants, the weights, so that they need
nothing of this package; see `InverseNet.frozen_restore`.
"""

import json
from collections.abc import Callable

import tensorflow as tf

from inversenet_tf.imaging.files.image_bytes import restored_bytes
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.models import kernel_use
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.restoration.signature_names import (
    DESCRIBE,
    FROM_BYTES,
    FROM_BYTES_WITH_KERNEL,
    INTERMEDIATE,
    WITH_KERNEL,
)
from inversenet_tf.serving.saved_models import SERVING_DEFAULT

IMAGE_BYTES = tf.TensorSpec((None,), tf.string, "image_bytes")
ASKED_BYTES = tf.TensorSpec((None,), tf.string, "asked_bytes")
TOLD = (
    tf.TensorSpec((None, None, None), tf.float32, "kernels"),
    tf.TensorSpec((None,), tf.float32, "noise_sigmas"),
)


def signatures_of(
    model: InverseNet, degradation: dict | None = None
) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
    """The signatures of an `InverseNet`, as `write_version` takes them.

    - `serving_default`: `measurements`, float32 [batch, height, width, channels] in [0, 1] ->
      `restored`, [batch, height * scale, width * scale, image channels] of the same range;
    - `restore_with_intermediate`: also `inverted`, the inverter's estimate z (without a denoiser,
      the restored image once more);
    - `restore_bytes`: `image_bytes`, string [batch], each a PNG or JPEG of any size ->
      `restored_bytes`, string [batch], PNGs; see `image_bytes.restored_bytes`.

    A model that accepts a blur kernel also has

    - `restore_with_kernel`: `measurements`, `kernels`, float32 [batch, kernel height, kernel width]
      of sum 1 and any size, and `noise_sigmas`, float32 [batch] -> `restored` and `inverted`;
    - `restore_bytes_with_kernel`: the same for `image_bytes`.

    A model that requires a kernel has only these two, of which the first is also `serving_default`.

    If the degradation that the model restores is known, given as a dict, clients get it from

    - `describe`: `asked_bytes`, string [batch], of any content -> `description_bytes`, string
      [batch], the same JSON for each.
    """
    answers = _Answers(model)
    measurements = tf.TensorSpec(
        (None, None, None, model.measured_channels), tf.float32, "measurements"
    )
    with_own = {
        SERVING_DEFAULT: (answers.restore, [measurements]),
        INTERMEDIATE: (answers.restore_with_intermediate, [measurements]),
        FROM_BYTES: (answers.restore_bytes, [IMAGE_BYTES]),
    }
    told = {
        WITH_KERNEL: (answers.restore_with_kernel, [measurements, *TOLD]),
        FROM_BYTES_WITH_KERNEL: (answers.restore_bytes_with_kernel, [IMAGE_BYTES, *TOLD]),
    }
    described = {}
    if degradation is not None:
        described = {DESCRIBE: (_describe(degradation), [ASKED_BYTES])}
    if model.kernel_use == kernel_use.REQUIRED:
        return {SERVING_DEFAULT: told[WITH_KERNEL]} | told | described
    if model.kernel_use == kernel_use.OPTIONAL:
        return with_own | told | described
    return with_own | described


class _Answers:
    """The functions behind a model's signatures, which share one graph of its networks."""

    def __init__(self, model):
        self._channels, self._scale = model.measured_channels, model.scale
        self._estimates = tf.function(
            model.frozen_restore(), reduce_retracing=True, autograph=False
        )

    def restore(self, measurements):
        return {"restored": self._estimates(measurements)["restored"]}

    def restore_with_intermediate(self, measurements):
        outputs = self._estimates(measurements)
        return {"inverted": outputs["restored"]} | outputs

    def restore_with_kernel(self, measurements, kernels, noise_sigmas):
        return self.restore_with_intermediate(self._told(measurements, kernels, noise_sigmas))

    def restore_bytes(self, image_bytes):
        restored = restored_bytes(
            image_bytes, lambda y: self.restore(y)["restored"], self._channels
        )
        return {"restored_bytes": restored}

    def restore_bytes_with_kernel(self, image_bytes, kernels, noise_sigmas):
        def restore_one(measurements, kernel, noise_sigma):
            return self.restore(self._told(measurements, kernel, noise_sigma))["restored"]

        told = kernels, noise_sigmas
        return {"restored_bytes": restored_bytes(image_bytes, restore_one, self._channels, told)}

    def _told(self, measurements, kernels, noise_sigmas):
        """The networks' inputs, after checking that the kernels fit into the image."""
        sides, greatest = tf.shape(kernels)[1:3], tf.shape(measurements)[1:3] * self._scale
        expected = "Expected kernels no larger than the image. Received: sides"
        fits = tf.debugging.Assert(tf.reduce_all(sides <= greatest), [expected, sides, greatest])
        with tf.control_dependencies([fits]):
            return as_told(tf.identity(measurements), tf.identity(kernels), noise_sigmas)


def _describe(degradation):
    description = json.dumps(degradation)
    return lambda asked_bytes: {
        "description_bytes": tf.fill(tf.shape(asked_bytes), tf.constant(description))
    }
