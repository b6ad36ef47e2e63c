"""The prior's networks: DCGAN for 64 x 64 images, six-layer CNNs for 32 x 32 digits (Section 3)."""

import keras

from inversenet_tf.engine.layers import BatchNorm, convolution


class PriorNetwork(keras.Model):
    """Base of the four networks: keeps the arguments from which they are rebuilt.

    Args:
        channels: of the images, 1 or 3.
        width: features of the layer next to the images; other layers have multiples of it.
        latent_size: T, entries of one latent vector.
        dtype: Keras dtype or policy of the hidden layers; inputs and outputs are float32.
    """

    def __init__(self, inputs, outputs, *, channels, width, latent_size, dtype, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        self.channels = channels
        self.width = width
        self.latent_size = latent_size
        self.hidden_dtype = dtype

    def get_config(self):
        return {
            "channels": self.channels,
            "width": self.width,
            "latent_size": self.latent_size,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }


def _grown(x, filters, dtype, strides=2):
    """Transposed convolution, batch norm, ReLU: one step of a generator."""
    x = convolution(filters, strides, transposed=True, use_bias=False, dtype=dtype)(x)
    x = BatchNorm(dtype=dtype)(x)
    return keras.layers.ReLU(dtype=dtype)(x)


def _first(latents, filters, dtype):
    """Projects latents to 4 x 4 features, batch norm, ReLU: the first step of a generator."""
    x = keras.layers.Reshape((1, 1, latents.shape[-1]), dtype=dtype)(latents)
    x = convolution(filters, transposed=True, padding="valid", use_bias=False, dtype=dtype)(x)
    x = BatchNorm(dtype=dtype)(x)
    return keras.layers.ReLU(dtype=dtype)(x)


def _image(x, channels, dtype, strides=2):
    """The last transposed convolution and its tanh, in float32."""
    x = convolution(channels, strides, transposed=True, dtype=dtype)(x)
    return keras.layers.Activation("tanh", dtype="float32", name="images")(x)


def _shrunk(x, filters, dtype, *, strides=2, norm=True):
    """Convolution, batch norm, LeakyReLU 0.2: one step of a discriminator."""
    x = convolution(filters, strides, use_bias=not norm, dtype=dtype)(x)
    if norm:
        x = BatchNorm(dtype=dtype)(x)
    return keras.layers.LeakyReLU(0.2, dtype=dtype)(x)


def _logit(x, dtype):
    """4 x 4 features -> one logit, in float32: the last step of a discriminator."""
    x = convolution(1, padding="valid", dtype=dtype)(x)
    return keras.layers.Reshape((), dtype="float32", name="logit")(x)


@keras.saving.register_keras_serializable("blind_gan_tf")
class DCGANGenerator(PriorNetwork):
    """DCGAN's generator (Radford et al. 2016): a projection and four transposed convolutions.

    Input: latents [batch, latent_size]. Output: [batch, 64, 64, channels] in [-1, 1].
    """

    def __init__(self, channels=3, width=64, latent_size=100, dtype=None, **kwargs):
        inputs = keras.Input((latent_size,), name="latents")
        x = _first(inputs, 8 * width, dtype)  # 4
        x = _grown(x, 4 * width, dtype)  # 8
        x = _grown(x, 2 * width, dtype)  # 16
        x = _grown(x, width, dtype)  # 32
        outputs = _image(x, channels, dtype)  # 64
        super().__init__(
            inputs,
            outputs,
            channels=channels,
            width=width,
            latent_size=latent_size,
            dtype=dtype,
            **kwargs,
        )


@keras.saving.register_keras_serializable("blind_gan_tf")
class DCGANDiscriminator(PriorNetwork):
    """DCGAN's discriminator: four strided convolutions and a logit.

    Input: [batch, 64, 64, channels] in [-1, 1]. Output: [batch].
    """

    def __init__(self, channels=3, width=64, latent_size=100, dtype=None, **kwargs):
        inputs = keras.Input((64, 64, channels), name="images")
        x = _shrunk(inputs, width, dtype, norm=False)  # 32
        x = _shrunk(x, 2 * width, dtype)  # 16
        x = _shrunk(x, 4 * width, dtype)  # 8
        x = _shrunk(x, 8 * width, dtype)  # 4
        super().__init__(
            inputs,
            _logit(x, dtype),
            channels=channels,
            width=width,
            latent_size=latent_size,
            dtype=dtype,
            **kwargs,
        )


@keras.saving.register_keras_serializable("blind_gan_tf")
class DigitGenerator(PriorNetwork):
    """A generator of six layers, which is all that Section 3.2 of the paper specifies.

    Input: latents [batch, latent_size]. Output: [batch, 32, 32, channels] in [-1, 1].
    """

    def __init__(self, channels=1, width=32, latent_size=100, dtype=None, **kwargs):
        inputs = keras.Input((latent_size,), name="latents")
        x = _first(inputs, 4 * width, dtype)  # 4
        x = _grown(x, 4 * width, dtype)  # 8
        x = _grown(x, 2 * width, dtype, strides=1)
        x = _grown(x, 2 * width, dtype)  # 16
        x = _grown(x, width, dtype)  # 32
        outputs = _image(x, channels, dtype, strides=1)
        super().__init__(
            inputs,
            outputs,
            channels=channels,
            width=width,
            latent_size=latent_size,
            dtype=dtype,
            **kwargs,
        )


@keras.saving.register_keras_serializable("blind_gan_tf")
class DigitDiscriminator(PriorNetwork):
    """The six layers of `DigitGenerator`, in reverse.

    Input: [batch, 32, 32, channels] in [-1, 1]. Output: [batch].
    """

    def __init__(self, channels=1, width=32, latent_size=100, dtype=None, **kwargs):
        inputs = keras.Input((32, 32, channels), name="images")
        x = _shrunk(inputs, width, dtype, strides=1, norm=False)  # 32
        x = _shrunk(x, 2 * width, dtype)  # 16
        x = _shrunk(x, 2 * width, dtype)  # 8
        x = _shrunk(x, 4 * width, dtype, strides=1)
        x = _shrunk(x, 4 * width, dtype)  # 4
        super().__init__(
            inputs,
            _logit(x, dtype),
            channels=channels,
            width=width,
            latent_size=latent_size,
            dtype=dtype,
            **kwargs,
        )


# name: (generator, discriminator)
NETWORKS = {
    "dcgan": (DCGANGenerator, DCGANDiscriminator),
    "digits": (DigitGenerator, DigitDiscriminator),
}
