"""Neural motion deblurring (Chakrabarti 2016), the paper's baseline [6], as an inversion network.

For every overlapping patch, a network predicts the complex Fourier coefficients of the filter that
deconvolves it. Chakrabarti then estimates one kernel from all patches and deconvolves the whole
image with a patch prior (EPLL); that second stage is left out here.
"""

import keras
import numpy as np
import tensorflow as tf

from inversenet_tf.imaging.physics.operators import pad

PATCH = 32  # pixels a side. Chakrabarti: 65, for photographs
CENTER = 16  # side of the part of a patch that is kept, in a Hann window. Chakrabarti: 33
STRIDE = CENTER // 2  # between patches; Hann windows that overlap by half add up to one
BANDS = (PATCH, PATCH // 2, PATCH // 4)  # sides of the parts of a patch whose spectra are used
REACH = 4  # frequencies of each band, in either direction
COEFFICIENTS = PATCH * (PATCH // 2 + 1)  # of a real filter's spectrum


def patches_of(images):
    """Extracts the patch around each cell of STRIDE x STRIDE pixels of periodic images.

    [batch, height, width, channels] -> [batch, height / STRIDE, width / STRIDE, channels, PATCH,
    PATCH].
    """
    margin = (PATCH - STRIDE) // 2
    padded = pad(images, (margin, margin), (margin, margin), "circular")
    sizes, strides = [1, PATCH, PATCH, 1], [1, STRIDE, STRIDE, 1]
    patches = tf.image.extract_patches(padded, sizes, strides, [1, 1, 1, 1], "VALID")
    batch, rows, columns, _ = tf.unstack(tf.shape(patches))
    patches = tf.reshape(patches, (batch, rows, columns, PATCH, PATCH, images.shape[-1]))
    return tf.transpose(patches, (0, 1, 2, 5, 3, 4))


def spectral_description(patches):
    """Low frequencies of a patch, middle ones of its centre, high ones of its innermost part.

    [batch, rows, columns, PATCH, PATCH] of one channel -> [batch, rows, columns, features].
    """
    features = []
    patches -= tf.reduce_mean(patches, (-2, -1), keepdims=True)
    for side in BANDS:
        margin = (PATCH - side) // 2
        part = patches[..., margin : margin + side, margin : margin + side]
        spectrum = tf.signal.rfft2d(part) / side
        low = [spectrum[..., : REACH + 1, : REACH + 1], spectrum[..., -REACH:, : REACH + 1]]
        for values in low:
            shape = tf.concat([tf.shape(values)[:3], [values.shape[-2] * values.shape[-1]]], 0)
            features += [tf.reshape(f(values), shape) for f in (tf.math.real, tf.math.imag)]
    return tf.concat(features, axis=-1)


def joined(centers):
    """Adds up overlapping centres of patches, each weighted by a Hann window.

    [batch, rows, columns, channels, CENTER, CENTER] -> [batch, height, width, channels].
    """
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(CENTER) + 0.5) / CENTER)
    centers *= np.outer(hann, hann).astype(np.float32)
    batch, rows, columns = tf.unstack(tf.shape(centers)[:3])
    channels = centers.shape[3]
    images = 0.0
    for top in (0, STRIDE):  # a centre covers its cell and half of each neighbour
        for left in (0, STRIDE):
            block = centers[..., top : top + STRIDE, left : left + STRIDE]
            block = tf.transpose(block, (0, 1, 4, 2, 5, 3))
            canvas = tf.reshape(block, (batch, rows * STRIDE, columns * STRIDE, channels))
            images += tf.roll(canvas, (top - STRIDE // 2, left - STRIDE // 2), (1, 2))
    return images


@keras.saving.register_keras_serializable("inversenet_tf")
class SpectralDescription(keras.layers.Layer):
    """Images [b, h, w, c] -> descriptions of their patches, [b, h / 8, w / 8, features]."""

    def call(self, images):
        gray = tf.reduce_mean(tf.cast(images, tf.float32), axis=-1, keepdims=True)
        features = spectral_description(patches_of(gray)[:, :, :, 0])
        return tf.ensure_shape(features, (None, None, None, self.features))

    @property
    def features(self):
        """Length of a patch's description."""
        return 2 * len(BANDS) * (2 * REACH + 1) * (REACH + 1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:1], None, None, self.features)


@keras.saving.register_keras_serializable("inversenet_tf")
class PatchwiseFilter(keras.layers.Layer):
    """Filters each patch with its own coefficients and joins the centres.

    [images [b, h, w, c], corrections [b, h / 8, w / 8, 2 * COEFFICIENTS]] -> [b, h, w, c]. A
    filter's spectrum is one plus the correction, and keeps the mean of the patch.
    """

    def call(self, inputs):
        images, corrections = inputs
        real, imaginary = tf.split(tf.cast(corrections, tf.float32), 2, axis=-1)
        shape = tf.concat([tf.shape(real)[:3], [1, PATCH, PATCH // 2 + 1]], axis=0)
        keeps_mean = np.ones((PATCH, PATCH // 2 + 1), np.float32)
        keeps_mean[0, 0] = 0.0
        filters = 1.0 + tf.complex(
            tf.reshape(real, shape) * keeps_mean, tf.reshape(imaginary, shape) * keeps_mean
        )
        spectra = tf.signal.rfft2d(patches_of(images))
        restored = tf.signal.irfft2d(filters * spectra, (PATCH, PATCH))
        margin = (PATCH - CENTER) // 2
        centers = restored[..., margin : margin + CENTER, margin : margin + CENTER]
        return tf.reshape(joined(centers), tf.shape(images))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable("inversenet_tf")
class NeuralDeblur(keras.Model):
    """One deconvolution filter per patch, predicted from the patch's spectrum at three scales.

    Works on [-1, 1]. It starts as the identity.

    Args:
        channels: of the images, 1 or 3, which share a patch's filter.
        width: features of each of the three hidden layers.
        dtype: Keras dtype or policy of the hidden layers; spectra and output are float32.

    Input: [batch, height, width, channels], sides a multiple of `multiple`. Output: the same
    shape.
    """

    multiple = CENTER  # STRIDE would do, were the smallest images not narrower than the margin

    def __init__(self, channels=3, width=1024, dtype=None, **kwargs):
        # === Functional graph ===
        inputs = keras.Input((None, None, channels), name="measurements")
        x = SpectralDescription(dtype="float32", name="description")(inputs)
        for index in (1, 2, 3):
            x = keras.layers.Dense(width, "relu", dtype=dtype, name=f"dense{index}")(x)
        last = keras.layers.Dense(
            2 * COEFFICIENTS, kernel_initializer="zeros", dtype=dtype, name="coefficients"
        )
        outputs = PatchwiseFilter(dtype="float32", name="filter")([inputs, last(x)])
        super().__init__(inputs, outputs, **kwargs)

        # === Config ===
        self.channels = channels
        self.width = width
        self.hidden_dtype = dtype

    def get_config(self):
        return {
            "channels": self.channels,
            "width": self.width,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
