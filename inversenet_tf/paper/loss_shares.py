"""The comparator's weight in a training: the share of lambda_f's term in Eqs. 11 and 12."""

import tensorflow as tf

from inversenet_tf.data import example_batch
from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.imaging.signed import to_signed
from inversenet_tf.models.compiling import comparator_of
from inversenet_tf.models.losses import squared_distance
from inversenet_tf.trained_run import load_trained


def feature_share(workdir):
    """lambda_f ||C(x^) - C(x)||^2 as a share of its sum with lambda_r ||x^ - x||^2.

    Computed from a few restored validation images at the last step.

    Args:
        workdir: of a finished training.

    Returns:
        A number from 0 to 1, 0 without a comparator.
    """
    model, config, _ = load_trained(workdir, "last")
    comparator = comparator_of(config)
    if comparator is None:
        return 0.0
    data, weights = config.data, config.loss
    source = open_source(data.validation, HELD_OUT, data.channels, data.minimum_side)
    inputs, images = example_batch(source, build_operator(config.operator), config)
    restored = model(inputs, training=False)["restored"]
    distance = squared_distance(to_signed(restored), to_signed(images), weights.reduction)
    features = squared_distance(
        comparator(restored), comparator(tf.convert_to_tensor(images)), weights.reduction
    )
    terms = weights.reconstruction_weight * distance, weights.feature_weight * features
    return float(terms[1] / tf.maximum(terms[0] + terms[1], 1e-12))
