"""The paper's losses by equation number: functions of tensors, averaged over the batch."""

import tensorflow as tf

REDUCTIONS = ("sum", "mean")


def soft_gan_loss(logits, label):
    """Eq. 9: -l log D(x) - (1 - l) log(1 - D(x)), with D the sigmoid of `logits`.

    Args:
        logits: [batch] float32.
        label: the soft label l in [0, 1].
    """
    labels = tf.fill(tf.shape(logits), tf.cast(label, logits.dtype))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def discriminator_loss(real_logits, fake_logits, real_label, fake_label):
    """Eq. 10 (the discriminator's part of Eq. 6): images are real, z and restored images fake.

    Args:
        real_logits: [batch] of the images.
        fake_logits: list of [batch], one for each output of the model.
        real_label, fake_label: the soft labels l of Eq. 9.
    """
    fakes = [soft_gan_loss(logits, fake_label) for logits in fake_logits]
    return soft_gan_loss(real_logits, real_label) + tf.add_n(fakes)


def squared_distance(estimates, targets, reduction="sum", weights=None):
    """||estimates - targets||^2 of Eqs. 7, 8, 11 and 12.

    Args:
        estimates, targets: [batch, ...] of the same shape.
        reduction: "sum" over all but the batch, as the equations are written, or "mean".
        weights: of each pixel, [batch, height, width, 1]; None: all are equal, as in the paper.
    """
    per_value = tf.math.squared_difference(estimates, targets)
    if weights is not None:
        per_value *= weights
    if reduction == "mean":
        return tf.reduce_mean(per_value)
    batch_size = tf.cast(tf.shape(per_value)[0], per_value.dtype)
    return tf.reduce_sum(per_value) / batch_size


def generator_loss(
    logits,
    estimates,
    images,
    *,
    real_label,
    reconstruction_weight,
    feature_weight,
    adversarial_weight=1.0,
    reduction="sum",
    pixel_weights=None,
    estimated_features=None,
    true_features=None,
):
    """Eqs. 11 and 12 (Eqs. 7 and 8): one loss for either network's output.

    Args:
        logits: [batch] of the estimates, from the discriminator; None without one.
        estimates: z or the restored images, [batch, height, width, channels].
        images: the truth, of the same shape and range.
        real_label: the soft label that the network wants for its output.
        reconstruction_weight: lambda_r.
        feature_weight: lambda_f.
        adversarial_weight: of the first term. Paper: 1.
        reduction: of both squared distances, see `squared_distance`.
        pixel_weights: of each pixel's squared distance, as `squared_distance` takes them.
        estimated_features, true_features: C(estimates) and C(images); None without a comparator.
    """
    distance = squared_distance(estimates, images, reduction, pixel_weights)
    loss = reconstruction_weight * distance
    if logits is not None:
        loss += adversarial_weight * soft_gan_loss(logits, real_label)
    if estimated_features is not None:
        loss += feature_weight * squared_distance(estimated_features, true_features, reduction)
    return loss
