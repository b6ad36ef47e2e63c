"""Adam with a learning rate that can be lowered, and with loss scaling where it is needed."""

import keras
import tensorflow as tf


def new_learning_rate_factor():
    """A variable to multiply all learning rates by; call it in the strategy's scope."""
    return tf.Variable(1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def build_adam(rate, factor, precision, **moments):
    """Builds an Adam optimizer, with loss scaling for float16.

    Args:
        rate: learning rate, or a Keras schedule of it.
        factor: variable from `new_learning_rate_factor`.
        precision: one of `PRECISIONS`; gradients in float16 would underflow without loss scaling.
        **moments: arguments of `keras.optimizers.Adam`: beta_1, beta_2, epsilon.
    """
    adam = FusedAdam(LowerableRate(rate, factor), **moments)
    return keras.optimizers.LossScaleOptimizer(adam) if precision == "mixed_float16" else adam


@keras.saving.register_keras_serializable("inversenet_tf")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with TensorFlow's fused kernel: one pass over a variable and its moments.

    Keras' own needs a dozen operations for each variable, a tenth of a small model's step.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable in one operation."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class LowerableRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate or schedule, multiplied by a variable."""

    def __init__(self, rate, factor):
        self.rate = rate
        self.factor = factor

    def __call__(self, step):
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * self.factor
