"""Adam with a learning rate that can be lowered, and with loss scaling where it is needed."""

import keras
import tensorflow as tf


def new_rate_factor():
    """The variable that a training's learning rates are multiplied by; in the strategy's scope."""
    return tf.Variable(1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def build_adam(rate, factor, precision, **moments):
    """One Adam.

    Args:
        rate: learning rate, or a Keras schedule of it.
        factor: of `new_rate_factor`.
        precision: one of `PRECISIONS`; float16's gradients would underflow without loss scaling.
        **moments: of `keras.optimizers.Adam`: beta_1, beta_2, epsilon.
    """
    adam = keras.optimizers.Adam(LowerableRate(rate, factor), **moments)
    return keras.optimizers.LossScaleOptimizer(adam) if precision == "mixed_float16" else adam


class LowerableRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate or schedule, times a variable."""

    def __init__(self, rate, factor):
        self.rate = rate
        self.factor = factor

    def __call__(self, step):
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * self.factor
