"""The operator F of a search: a bank of surrogates to be trained, or a known operator."""

import keras
import numpy as np
import tensorflow as tf

from blind_gan_tf.stacked import stacked


class SurrogateBank:
    """Several surrogates of one architecture, each applied to its own images.

    Their weights are stacked, so that one optimizer step updates them all.

    Args:
        models: built Keras models of one architecture: all starts of the first group, then those
            of the second, and so on.
        starts: number of starts of each group.
    """

    def __init__(self, models, starts=1):
        self._starts = starts
        self._template = models[0]
        self._stacked = stacked(models[0])
        weights = zip(*(model.trainable_variables for model in models), strict=True)
        self.variables = [
            keras.Variable(np.stack(stack), name=f"stacked_{index}")
            for index, stack in enumerate(weights)
        ]
        self.copies = len(models)

    def __call__(self, images):
        """[copies, batch, height, width, c] -> [copies, batch, height, width, measured c]."""
        return self.seeing(images)()

    def now(self):
        """`__call__` with the present weights, whose part of the work is done only once."""
        prepared = self._prepared()
        return lambda images: self._stacked.apply(prepared, self._stacked.arranged(images))

    def seeing(self, images):
        """`__call__` of fixed images, whose part of the work is done once; weights may change."""
        arranged = self._stacked.arranged(images)
        return lambda: self._stacked.apply(self._prepared(), arranged)

    def _prepared(self):
        weights = [tf.convert_to_tensor(variable.value) for variable in self.variables]
        return self._stacked.prepared(weights)

    def model(self, group, start):
        """The surrogate of one start of a group as a separate Keras model."""
        model = self._template.__class__.from_config(self._template.get_config())
        if not model.built:
            model.build(self._template.input_shape)
        model.set_weights(self._template.get_weights())
        for variable, stack in zip(model.trainable_variables, self.variables, strict=True):
            variable.assign(stack.numpy()[group * self._starts + start])
        return model

    def kept(self, chosen):
        """A bank with the `chosen` starts alone, [groups, starts to keep]."""
        models = [self.model(group, s) for group, starts in enumerate(chosen) for s in starts]
        return SurrogateBank(models, len(chosen[0]))


class FixedOperator:
    """A known F instead of surrogates: nothing is trained.

    Args:
        operators: callables from stacked images [batch, height, width, s * channels] to
            measurements: one for each group of measurements, or a list of one for all.
    """

    variables = ()

    def __init__(self, operators):
        self._operators = list(operators)

    def __call__(self, images):  # [c, batch, height, width, s * channels]
        measured = []
        # The copies of a group, one for each start, are adjacent.
        parts = tf.split(images, len(self._operators))
        for operator, part in zip(self._operators, parts, strict=True):
            flat = operator(tf.reshape(part, [-1, *part.shape[2:]]))
            measured.append(tf.reshape(flat, [*part.shape[:2], *flat.shape[1:]]))
        return tf.concat(measured, axis=0)

    def now(self):
        """Returns itself, since it does not change."""
        return self

    def model(self, group, start):
        """The operator of a group, which is the same for all starts."""
        return self._operators[group if len(self._operators) > 1 else 0]

    def kept(self, chosen):
        """Returns itself, since the operators are the same for all starts."""
        return self


def check_measures(operator, image_shape, measured_shape):
    """Applies an operator to a black image; what it returns must have the measurements' shape.

    Args:
        operator: callable from images to measurements.
        image_shape: (height, width, s * channels).
        measured_shape: (height, width, measured channels).

    Raises:
        ValueError: it cannot be applied to such images, or returns another shape.
    """
    expected = f"Expected an operator from images {image_shape} to measurements {measured_shape}."
    try:
        measured = operator(tf.zeros((1, *image_shape)))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"{expected} Received: one that cannot be applied to such images. They may have more "
            "or fewer channels than it takes, or be smaller than its kernel."
        ) from error
    received = tuple(np.shape(measured))[1:]
    if received != measured_shape:
        raise ValueError(f"{expected} Received: one to {received}.")
