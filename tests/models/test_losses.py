"""Each loss against its equation written in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.models import losses

LOGITS = tf.constant([-1.5, 0.3, 2.0])


def soft_gan(logits, label):
    """Eq. 9, as written."""
    d = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    return np.mean(-label * np.log(d) - (1 - label) * np.log(1 - d))


@pytest.mark.parametrize("label", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_equation_9(label):
    assert float(losses.soft_gan_loss(LOGITS, label)) == pytest.approx(
        soft_gan(LOGITS, label), rel=1e-5
    )


def test_labels_may_be_whole_numbers():
    loss = losses.soft_gan_loss(LOGITS, 1)
    assert float(loss) == pytest.approx(soft_gan(LOGITS, 1), rel=1e-5)


def test_equation_9_does_not_overflow():
    assert float(losses.soft_gan_loss(tf.constant([-200.0]), 0.99)) == pytest.approx(198.0)


def test_equation_10():
    real, inverted, restored = LOGITS, LOGITS + 1, LOGITS - 2
    expected = soft_gan(real, 0.99) + soft_gan(inverted, 0.01) + soft_gan(restored, 0.01)
    loss = losses.discriminator_loss(real, [inverted, restored], 0.99, 0.01)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    alone = losses.discriminator_loss(real, [inverted], 0.99, 0.01)
    without = expected - soft_gan(restored, 0.01)
    assert float(alone) == pytest.approx(without, rel=1e-5)


def test_squared_distance_sums_over_pixels_and_averages_over_the_batch():
    a = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype(np.float32)
    b = np.random.default_rng(1).normal(size=(4, 3, 3, 2)).astype(np.float32)
    expected = np.mean([np.linalg.norm(x) ** 2 for x in (a - b)])
    assert float(losses.squared_distance(a, b)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.squared_distance(a, b, "mean")) == pytest.approx(
        np.mean((a - b) ** 2), rel=1e-5
    )


@pytest.mark.parametrize("label", [0.99, 0.8])
def test_equations_11_and_12(label):
    generator = np.random.default_rng(0)
    estimates, images = generator.normal(size=(2, 3, 4, 4, 3)).astype(np.float32)
    features, true_features = generator.normal(size=(2, 3, 7)).astype(np.float32)
    adversarial = soft_gan(LOGITS, label)
    l2 = np.sum((estimates - images) ** 2) / 3
    feature = np.sum((features - true_features) ** 2) / 3
    weights = {"real_label": label, "reconstruction_weight": 0.25, "feature_weight": 2.0}
    without = losses.generator_loss(LOGITS, estimates, images, **weights)
    assert float(without) == pytest.approx(adversarial + 0.25 * l2, rel=1e-5)
    full = losses.generator_loss(
        LOGITS,
        estimates,
        images,
        **weights,
        estimated_features=features,
        true_features=true_features,
    )
    assert float(full) == pytest.approx(adversarial + 0.25 * l2 + 2.0 * feature, rel=1e-5)
    light = losses.generator_loss(LOGITS, estimates, images, adversarial_weight=1e-3, **weights)
    assert float(light) == pytest.approx(1e-3 * adversarial + 0.25 * l2, rel=1e-5)
    no_logits = losses.generator_loss(None, estimates, images, **weights)
    assert float(no_logits) == pytest.approx(0.25 * l2, rel=1e-5)
