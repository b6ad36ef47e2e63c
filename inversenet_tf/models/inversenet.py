"""InverseNet: the inverter and then the denoiser, in use and in a training step."""

import functools
import math

import keras
import tensorflow as tf

from inversenet_tf.engine.frozen import frozen
from inversenet_tf.engine.layers import Upsample
from inversenet_tf.imaging.arrays import as_batch
from inversenet_tf.imaging.inputs import measurements_of, parts_of
from inversenet_tf.imaging.metrics import psnr, ssim
from inversenet_tf.imaging.signed import from_signed, to_signed
from inversenet_tf.models import kernel_use
from inversenet_tf.models.algorithm_1 import TrainedByAlgorithm1
from inversenet_tf.models.closed_form import REACH
from inversenet_tf.models.padding import crop_to, pad_to_multiple
from inversenet_tf.shipped import preset_folder

NETWORKS = ("discriminator", "inverter", "denoiser")
# Where the correction is scaled, the expected error of the closed form that gives weight 1.
REFERENCE_ERROR = 0.05


def _checked(inputs):
    """A model's inputs, with the measurements checked for rank and type."""
    measurements, told = parts_of(inputs)
    measurements = as_batch(measurements, "measurements")
    return {"measurements": measurements} | told if told else measurements


def clipped(outputs):
    """{name: images}, clipped to [0, 1]."""
    return {name: tf.clip_by_value(images, 0.0, 1.0) for name, images in outputs.items()}


@keras.saving.register_keras_serializable("inversenet_tf")
class InverseNet(TrainedByAlgorithm1):
    """measurements -> inverted (z, by the inverter) -> restored (by the denoiser), Fig. 2.

    The paper's inverter is the U-Net of Table 3 and its denoiser the DAE of Table 4; for other
    networks that may take either part, see `models/build.py`.

    Args:
        inverter: network from signed measurements to signed z.
        denoiser: network from z, or [z, y], to the signed restored image; with a `half_step` from
            [z, half-step] or [z, half-step, y]. None restores with the inverter alone (pix2pix,
            Section 4.1).
        discriminator: network from signed images to one logit each; None to use the model, or to
            train it without one.
        scale: how much larger the image is than the measurement, along each side.
        boundary: of the operator, for padding measurements whose size does not fit the networks,
            see `pad_to_multiple`.
        shift: of the operator, for upsampling where the inverter or the scores need it.
        closed_form: a `ClosedForm` whose estimates are put before the measurement, along the
            channels, for the inverter to correct; None: it takes the measurement alone.
        half_step: a `HalfStep` whose estimate the denoiser takes after z; None: it takes none.

    Input: [batch, height, width, channels] in [0, 1], of any height and width; or, where a
    `closed_form` takes the kernel and the noise, a dict of such `measurements`, `kernels`
    [batch, kernel height, kernel width] and `noise_sigmas` [batch]. Output: a dict of
    `restored` and, with a denoiser, `inverted`, [batch, height * scale, width * scale, channels]
    of the same range (not clipped to it).
    """

    def __init__(
        self,
        inverter,
        denoiser=None,
        discriminator=None,
        scale=1,
        boundary="circular",
        shift=0.0,
        closed_form=None,
        half_step=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.inverter = inverter
        self.denoiser = denoiser
        self.discriminator = discriminator
        self.scale = scale
        self.boundary = boundary
        self.shift = shift
        self.closed_form = closed_form
        self.half_step = half_step
        self._upsample = Upsample(scale, boundary, shift, dtype="float32")
        self.built = True

    @property
    def networks(self):
        """The networks that are present, by name, in the order of Algorithm 1."""
        present = {name: getattr(self, name) for name in NETWORKS}
        return {name: network for name, network in present.items() if network is not None}

    @property
    def measured_channels(self):
        """The number of channels of a measurement."""
        if self.closed_form is None:
            return self.inverter.inputs[0].shape[-1]
        return 1 if self.closed_form.to_gray else self.image_channels

    @property
    def image_channels(self):
        """The number of channels of a restored image."""
        return self.inverter.outputs[0].shape[-1]

    @property
    def multiple(self):
        """The number that height and width of a measurement are padded to a multiple of."""
        asked = [getattr(n, "multiple", 1) for n in (self.inverter, self.denoiser)]
        return math.lcm(self.scale, *asked) // self.scale

    @property
    def fixed_size(self):
        """(height, width) of the only measurements that the networks take; None for any."""
        factor = self.scale if getattr(self.inverter, "scale", 1) != self.scale else 1
        height, width = self.inverter.inputs[0].shape[1:3]
        if self.denoiser is not None and None in (height, width):
            height, width = self.denoiser.inputs[0].shape[1:3]
            factor = self.scale
        return None if None in (height, width) else (height // factor, width // factor)

    @property
    def kernel_use(self):
        """Whether the model takes a kernel: one of the constants of `models/kernel_use.py`."""
        if self.closed_form is None:
            return kernel_use.NONE
        return kernel_use.REQUIRED if self.closed_form.kernel is None else kernel_use.OPTIONAL

    def taken_for_sharp(self, measurements):
        """The input for unblurred measurements, with point kernels if kernels are required."""
        if self.kernel_use != kernel_use.REQUIRED:
            return measurements
        count = tf.shape(measurements)[0]
        point, none = tf.ones((count, 1, 1)), tf.zeros((count,))
        return {"measurements": measurements, "kernels": point, "noise_sigmas": none}

    def call(self, inputs, training=False):
        networks = (self.inverter, self.denoiser) if training else self._both_in_use()
        told = [network and functools.partial(network, training=training) for network in networks]
        return self._outputs(inputs, *told)

    def _both_in_use(self):
        """The inverter and the denoiser to restore with; None where there is no denoiser."""
        return self.in_use("inverter"), self.denoiser and self.in_use("denoiser")

    def _outputs(self, inputs, inverter, denoiser):
        """What `call` returns; `inverter` and `denoiser` are functions of the networks' inputs."""
        measurements, told = parts_of(inputs)
        padded = to_signed(pad_to_multiple(measurements, self.multiple, self.boundary))
        beginnings = self._padded_together(self._begin(measurements, told))
        inverted = inverter(self._to_invert(padded, beginnings))
        outputs = {"restored": inverted}
        if denoiser is not None:
            restored = denoiser(self._to_denoise(inverted, padded, inputs))
            outputs = {"inverted": inverted, "restored": restored}
        scale, size = self.scale, tf.shape(measurements)[1:3] * self.scale
        return {name: crop_to(from_signed(image), size, scale) for name, image in outputs.items()}

    def unaveraged_outputs(self, inputs):
        """Like a call, but with the trained weights instead of their average."""
        networks = (self.inverter, self.denoiser)
        used = [network and functools.partial(network, training=False) for network in networks]
        return self._outputs(inputs, *used)

    def restore(self, inputs):
        """Restores images: like a call, with the outputs clipped to [0, 1].

        Measurements may also be unsigned integers of 8 or 16 bits, which are scaled to [0, 1].

        Raises:
            ValueError: measurements of another rank or type.
        """
        return clipped(self(_checked(inputs), training=False))

    def frozen_restore(self):
        """Returns `restore` as a faster function that keeps the present weights.

        It equals `restore` up to rounding and raises the same errors; see `engine/frozen.py`. A
        caller's own network is rewritten if it is a graph of Keras layers, else called as it is.
        """
        networks = [network and frozen(network) for network in self._both_in_use()]

        def restore(inputs):
            return clipped(self._outputs(_checked(inputs), *networks))

        return restore

    def _begin(self, measurements, told):
        """The signed closed forms of measurements in [0, 1]."""
        if self.closed_form is None:
            return []
        return [to_signed(estimate) for estimate in self.closed_form(measurements, **told)]

    def _padded_together(self, beginnings):
        """The closed forms, joined along the channels and padded as the networks need.

        They are solved for before any padding, as only the measurement itself is periodic.
        """
        if not beginnings:
            return []
        joined, multiple = tf.concat(beginnings, axis=-1), self.multiple * self.scale
        return [pad_to_multiple(joined, multiple, self.boundary, self.scale)]

    def _to_invert(self, measurements, beginnings):
        """Section 3.1: "we initially apply the bicubic interpolation", where y is smaller."""
        if getattr(self.inverter, "scale", 1) != self.scale:
            measurements = self._upsample(measurements)
        if beginnings:
            measurements = tf.concat([*beginnings, measurements], axis=-1)
        return measurements

    def _to_denoise(self, inverted, padded, inputs):
        """The denoiser's input: z, the half-step from it, and the padded signed measurement."""
        taken = [inverted]
        if self.half_step is not None:
            taken.append(self._stepped(inverted, inputs))
        if len(self.denoiser.inputs) > len(taken):
            taken.append(padded)
        return taken if len(taken) > 1 else inverted

    def _stepped(self, inverted, inputs):
        """The signed half-step from a signed z, solved for without any padding."""
        measurements, told = parts_of(inputs)
        scale, multiple = self.scale, self.multiple * self.scale
        estimate = crop_to(from_signed(inverted), tf.shape(measurements)[1:3] * scale, scale)
        stepped = self.half_step(estimate, measurements, **told)
        return to_signed(pad_to_multiple(stepped, multiple, self.boundary, scale))

    def _estimate(self, data):
        """Implements `TrainedByAlgorithm1._estimate`."""
        inputs, images, _ = keras.utils.unpack_x_y_sample_weight(data)
        measurements, told = parts_of(inputs)
        beginnings = self._begin(measurements, told)
        measurements, images = to_signed(measurements), to_signed(images)
        tapes, estimates = {"inverter": tf.GradientTape()}, {}
        with tapes["inverter"]:
            inverted = self.inverter(self._to_invert(measurements, beginnings), training=True)
            estimates["inverter"] = inverted
        # Eq. 12 trains the DAE alone. Algorithm 1 would recompute z after the U-Net's update;
        # here all three updates share one z, because that differs by a single Adam step only.
        if self.denoiser is not None:
            tapes["denoiser"] = tf.GradientTape()
            with tapes["denoiser"]:
                taken = self._to_denoise(tf.stop_gradient(inverted), measurements, inputs)
                estimates["denoiser"] = self.denoiser(taken, training=True)
        return images, estimates, tapes, self._weights(beginnings, images)

    def _weights(self, beginnings, images):
        """The weights that express each pixel's squared error in units of its expected value.

        An image for which the closed form's error exceeds the expected one has less weight, so that
        no image dominates a batch.

        Returns:
            [batch, height, width, 1], or None where the correction is not scaled.
        """
        if self.closed_form is None or not self.closed_form.scaled:
            return None
        first, reach, *_ = [from_signed(beginning) for beginning in beginnings]
        expected = tf.square(reach / REACH)
        left = tf.square(first - from_signed(images)) / expected
        left = tf.reduce_mean(left, axis=(1, 2, 3), keepdims=True)
        return 2.0 * REFERENCE_ERROR**2 / ((1.0 + left) * expected)

    def test_step(self, data):
        """Returns the mean PSNR and SSIM of the outputs on a batch of (measurements, images).

        As `degraded`, also those of the measurements themselves, upsampled where they are smaller.
        """
        inputs, images, _ = keras.utils.unpack_x_y_sample_weight(data)
        measurements = measurements_of(inputs)
        if self.scale > 1:
            measurements = self._upsample(measurements)
        degraded = tf.broadcast_to(tf.cast(measurements, images.dtype), tf.shape(images))
        scores = {}
        for name, estimates in {"degraded": degraded, **self(inputs, training=False)}.items():
            scores[f"psnr_{name}"] = tf.reduce_mean(psnr(estimates, images, self.profile))
            scores[f"ssim_{name}"] = tf.reduce_mean(ssim(estimates, images, self.profile))
        return scores

    def get_config(self):
        networks = {name: getattr(self, name) for name in NETWORKS}
        return {
            name: None if network is None else keras.saving.serialize_keras_object(network)
            for name, network in networks.items()
        } | {
            "scale": self.scale,
            "boundary": self.boundary,
            "shift": self.shift,
            "closed_form": keras.saving.serialize_keras_object(self.closed_form),
            "half_step": keras.saving.serialize_keras_object(self.half_step),
            "name": self.name,
        }

    @classmethod
    def from_preset(cls, name: str) -> "InverseNet":
        """Loads a trained model that ships with the package.

        Args:
            name: one of `inversenet_tf.presets()`.

        Raises:
            ValueError: there is no such preset, or it is not an InverseNet.
        """
        from inversenet_tf.models.presets import load_preset  # imports this module

        return load_preset(preset_folder(name))[0]

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model from `get_config`."""
        networks = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in NETWORKS
            if config[name] is not None
        }
        solvers = {
            name: keras.saving.deserialize_keras_object(config.get(name))
            for name in ("closed_form", "half_step")
        }
        return cls(**config | networks | solvers)
