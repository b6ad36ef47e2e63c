"""The losses of the prior's training and of Algorithm 1."""

import tensorflow as tf


def discriminator_loss(
    real_logits: tf.Tensor, generated_logits: tf.Tensor, real_label: float = 1.0
) -> tf.Tensor:
    """-l log D(x) - (1 - l) log(1 - D(x)) - log(1 - D(G(z))), averaged over the batch.

    Args:
        real_logits, generated_logits: [batch] float32; D is their sigmoid.
        real_label: l; below 1 it smooths the label of real images.
    """
    labels = tf.fill(tf.shape(real_logits), real_label)
    real = tf.nn.sigmoid_cross_entropy_with_logits(labels, real_logits)
    return tf.reduce_mean(real) + tf.reduce_mean(tf.nn.softplus(generated_logits))


def generator_loss(generated_logits: tf.Tensor) -> tf.Tensor:
    """-log D(G(z)), the loss of DCGAN's generator, averaged over the batch."""
    return tf.reduce_mean(tf.nn.softplus(-generated_logits))


def perceptual_loss(generated_logits: tf.Tensor) -> tf.Tensor:
    """L_per of Section 2: log(1 - D(G(z))) for each image.

    Since D is a sigmoid, log(1 - D) = -softplus(logit), which never becomes log 0.
    """
    return -tf.nn.softplus(generated_logits)


def measurement_distance(estimates: tf.Tensor, measurements: tf.Tensor) -> tf.Tensor:
    """||Y_est - Y_obs||_1 of Algorithm 1 for each measurement.

    Args:
        estimates, measurements: [..., height, width, channels].

    Returns:
        [...]: the sum over pixels and channels.
    """
    return tf.reduce_sum(tf.abs(estimates - measurements), axis=(-3, -2, -1))
