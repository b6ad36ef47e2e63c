"""The training loop of both packages: `keras.Model.fit` for any strategy and number of workers.

Keras' own `fit` cannot run on several workers. Keras callbacks are called as `fit` calls them,
except for the batches of a validation.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from inversenet_tf.engine.workers import (
    input_context,
    is_chief,
    other_workers,
    sum_over_workers,
)

SHOWN_AFTER = 2.0  # seconds of a validation: whole photographs may take minutes


class NotFinite(ArithmeticError):
    """A loss or a gradient is no longer a finite number.

    Attributes:
        values: dict of the logged values that are not finite.
    """

    def __init__(self, values):
        named = ", ".join(f"{name} is {value}" for name, value in values.items())
        super().__init__(named)
        self.values = values


def fit(
    model,
    strategy,
    batches,
    validation,
    *,
    steps,
    steps_per_epoch,
    callbacks=(),
    interruption=None,
    xla=False,
):
    """Trains a model from its present step to a given one.

    Args:
        model: an `AdversarialModel`, built and compiled in the strategy's scope.
        strategy: a `tf.distribute.Strategy`.
        batches: function from a `tf.distribute.InputContext` to this worker's endless
            tf.data.Dataset of batches for one replica each, starting at the model's step.
        validation: function from the same to this worker's tf.data.Dataset for `test_step`.
        steps: the step to end at.
        steps_per_epoch: steps between two validations, each followed by `on_epoch_end`. The last
            epoch may be shorter; if `steps` is larger in a later call, it is continued.
        callbacks: Keras callbacks. Training logs are means over the replicas and, in
            `on_epoch_end`, over the epoch's steps; validation scores, means over all images, are
            logged there as `val_...`.
        interruption: an `Interruption`. If any worker is asked to end, all of them end after the
            same step, or break off their validation.
        xla: whether to compile the training step; for one replica only.

    Returns:
        Whether the training was interrupted.

    Raises:
        NotFinite: a logged value of a training step is NaN or infinite.
    """
    train_step = TrainStep(model, strategy, xla)
    iterator = iter(strategy.distribute_datasets_from_function(batches))
    validation = validation(input_context(strategy))
    test_step = tf.function(
        model.test_step, input_signature=[validation.element_spec], autograph=False
    )
    epochs = math.ceil(steps / steps_per_epoch)
    callbacks = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs, steps=steps_per_epoch
    )

    def is_interrupted():
        return interruption is not None and interruption.requested

    model.stop_training = False
    callbacks.on_train_begin()
    try:
        for epoch in range(_epochs_ended(model, steps, steps_per_epoch), epochs):
            callbacks.on_epoch_begin(epoch)
            means = _Means()
            first = epoch * steps_per_epoch
            for step in range(model.step, min(first + steps_per_epoch, steps)):
                callbacks.on_train_batch_begin(step - first)
                logs, interrupted = train_step(iterator, is_interrupted())
                _check_finite(logs)
                means.add(logs)
                callbacks.on_train_batch_end(step - first, logs)
                if interrupted:
                    return True
            scores, interrupted = _validate(test_step, validation, strategy, is_interrupted)
            if interrupted:  # the next session repeats this validation
                return True
            model.epochs_ended.assign(epoch + 1)
            callbacks.on_epoch_end(
                epoch, means.result() | {f"val_{name}": score for name, score in scores.items()}
            )
            if _any_worker(strategy, model.stop_training):
                break
    finally:
        callbacks.on_train_end()
    return False


def _epochs_ended(model, steps, steps_per_epoch):
    """The number of completed epochs."""
    ended = int(model.epochs_ended.numpy())
    if model.step < steps:  # the last one may have been shorter, with fewer `steps`
        ended = min(ended, model.step // steps_per_epoch)
    return ended


class TrainStep:
    """Runs the model's next step on every replica, and fetches all its logs in one transfer.

    The step must not use Python's `if` or `for` on tensors. Autograph, which would translate them,
    is off: it takes two seconds to read every function that the step calls, and finds none here.
    """

    def __init__(self, model, strategy, xla=False):
        self._model = model
        self._strategy = strategy
        self._xla = xla
        self._compiled = {}  # by the name of the model's method: (function, names of its logs)

    def __call__(self, iterator, stop=False):
        """Takes a step; returns (logs, whether any worker asks to stop)."""
        method = self._model.next_step
        if method.__name__ not in self._compiled:
            self._compiled[method.__name__] = self._compile(method)
        step, names = self._compiled[method.__name__]
        with other_workers(self._strategy):
            *values, stop = step(iterator, tf.constant(float(stop))).numpy().tolist()
        return dict(zip(names, values, strict=True)), stop > 0

    def _compile(self, method):
        """A step as a graph, and the names of its logs, which are known once it is traced."""
        names = []
        replica_step = method
        if self._xla:
            replica_step = tf.function(method, jit_compile=True, autograph=False)

        def on_replica(batch, stop):
            logs = replica_step(batch)
            names[:] = logs
            return tf.stack([tf.cast(value, tf.float32) for value in (*logs.values(), stop)])

        @tf.function(autograph=False)
        def step(iterator, stop):
            logs = self._strategy.run(on_replica, args=(next(iterator), stop))
            return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, logs, axis=None)

        return step, names


def _check_finite(logs):
    wrong = {name: value for name, value in logs.items() if not math.isfinite(value)}
    if wrong:
        raise NotFinite(wrong)


class _Means:
    """The means of the logs of several steps, each over the steps that logged it."""

    def __init__(self):
        self._values = {}

    def add(self, logs):
        for name, value in logs.items():
            self._values.setdefault(name, []).append(value)

    def result(self):
        return {name: sum(values) / len(values) for name, values in self._values.items()}


def _validate(test_step, dataset, strategy, is_interrupted):
    """The mean scores over all workers' images by name, and whether any worker broke off.

    A worker may have no images.
    """
    names = sorted(test_step.get_concrete_function().structured_outputs)
    sums = np.zeros(1 + len(names))  # of images, and of every score
    batches = max(int(dataset.cardinality()), 0) or None  # negative if unknown
    options = {"total": batches, "leave": False, "delay": SHOWN_AFTER}
    with tqdm(dataset, "validating", **options, disable=not is_chief(strategy)) as shown:
        for batch in shown:
            if is_interrupted():
                break
            images, scores = len(keras.tree.flatten(batch)[0]), test_step(batch)
            sums += images * np.array([1.0, *(float(scores[name]) for name in names)])
    [(count, *totals)] = sum_over_workers(strategy, [tf.constant(sums)])
    if _any_worker(strategy, is_interrupted()):
        return {}, True
    return {name: float(total / count) for name, total in zip(names, totals, strict=True)}, False


def _any_worker(strategy, flag):
    """Whether a flag is set in any worker; every worker must call this."""
    [count] = sum_over_workers(strategy, [tf.constant(float(flag))])
    return float(count) > 0
