"""Checks the inputs of a signature inside its own graph.

A server passes on whatever tensor it receives, and some of TensorFlow's kernels end the process if
a tensor has another rank than the graph was traced for.
"""

import functools

import tensorflow as tf

# Of one tensor: some of TensorFlow's kernels count with 32 bits.
MOST_VALUES = 2**31 - 1


def with_checked_inputs(function, specs):
    """Wraps a function of tensors in checks, at run time, against what it was traced for.

    Args:
        function: of one tensor for each of `specs`.
        specs: list of `tf.TensorSpec`; the first axis of each is the batch.

    Returns:
        The function. It raises `tf.errors.InvalidArgumentError` for a tensor with another rank or
        fixed size, an empty axis other than the batch, or more than `MOST_VALUES` values, and for
        tensors of different batch sizes.
    """

    @functools.wraps(function)
    def checked(*tensors):
        tensors = [_checked(*pair) for pair in zip(tensors, specs, strict=True)]
        with tf.control_dependencies(_checks_of_batch(tensors, specs)):
            return function(*map(tf.identity, tensors))

    return checked


def _checked(tensor, spec):
    """The tensor, after checking that it fits its spec."""
    # Tracing takes the shapes of the specs for granted, and would drop the check.
    unknown = tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None))
    shape, expected = tf.shape(unknown, tf.int64), spec.shape.as_list()
    wanted = tf.constant([-1 if side is None else side for side in expected], tf.int64)
    # With another rank, the sides cannot be compared one by one.
    sides = tf.cond(
        tf.equal(tf.size(shape), len(expected)), lambda: shape, lambda: tf.zeros_like(wanted) - 2
    )
    is_as_wanted = tf.where(wanted < 0, sides >= 1, tf.equal(sides, wanted))
    # A batch may be empty.
    is_as_wanted = tf.concat([sides[:1] >= 0, is_as_wanted[1:]], axis=0)
    fits = tf.reduce_all(is_as_wanted) & (tf.reduce_prod(shape) <= MOST_VALUES)
    named = ", ".join(["batch", *("any" if side is None else str(side) for side in expected[1:])])
    message = f"Expected {spec.name}, {spec.dtype.name} [{named}]. Received: shape"
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, shape], summarize=8)]):
        return tf.ensure_shape(tf.identity(unknown), spec.shape)


def _checks_of_batch(tensors, specs):
    """Assertions that all tensors have the first one's batch size."""
    counts = [tf.shape(tensor)[0] for tensor in tensors]
    names = " and ".join(spec.name for spec in specs)
    return [
        tf.debugging.Assert(
            tf.equal(count, counts[0]),
            [f"Expected {names} of one batch. Received: elements", counts[0], count],
        )
        for count in counts[1:]
    ]
