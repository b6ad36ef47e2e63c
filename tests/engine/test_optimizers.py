import keras
import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.engine.optimizers import (
    FusedAdam,
    LowerableRate,
    build_adam,
    new_learning_rate_factor,
)
from inversenet_tf.imaging.config import PRECISIONS


@pytest.mark.parametrize("lowered", [1.0, 0.5])
def test_a_lowered_rate_shortens_the_step(lowered):
    factor = new_learning_rate_factor()
    variable = keras.Variable([1.0, 2.0])
    optimizer = keras.optimizers.SGD(LowerableRate(0.25, factor))
    step = tf.function(lambda: optimizer.apply([tf.constant([4.0, 8.0])], [variable]))
    optimizer.build([variable])
    step()
    np.testing.assert_allclose(variable, [0.0, 0.0])
    factor.assign(lowered)  # which a traced step sees, too
    step()
    np.testing.assert_allclose(variable, [-lowered, -2 * lowered])


def test_a_schedule_is_lowered_too():
    factor = new_learning_rate_factor()
    rate = LowerableRate(keras.optimizers.schedules.CosineDecay(0.2, 10), factor)
    assert [float(rate(step)) for step in (0, 5, 10)] == pytest.approx([0.2, 0.1, 0.0], abs=1e-8)
    factor.assign(0.5)
    assert [float(rate(step)) for step in (0, 5, 10)] == pytest.approx([0.1, 0.05, 0.0], abs=1e-8)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_losses_are_scaled_where_gradients_would_underflow(precision):
    optimizer = build_adam(
        0.1, new_learning_rate_factor(), precision, beta_1=0.5, beta_2=0.9, epsilon=1e-3
    )
    is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == (precision == "mixed_float16")
    adam = optimizer.inner_optimizer if is_scaled else optimizer
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.9, 1e-3)
    assert float(adam.learning_rate) == pytest.approx(0.1)


def test_fused_adam_is_that_of_keras():
    """Five steps with moments and an epsilon that count, and the state that a checkpoint holds."""
    states = []
    for adam in (FusedAdam, keras.optimizers.Adam):
        variable = keras.Variable(np.linspace(-1.0, 1.0, 7, dtype=np.float32))
        optimizer = adam(
            keras.optimizers.schedules.CosineDecay(0.1, 10), beta_1=0.5, beta_2=0.9, epsilon=0.1
        )
        optimizer.build([variable])
        for step in range(5):
            gradient = np.random.default_rng(step).normal(size=7).astype(np.float32)
            optimizer.apply([tf.constant(gradient)], [variable])
        states.append([variable, *optimizer.variables])
    for ours, theirs in zip(*states, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
