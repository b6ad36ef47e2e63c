"""Two small networks trained side by side: all that the training loop asks of a model."""

import os
import signal
from types import SimpleNamespace

import keras
import tensorflow as tf

from inversenet_tf.engine.adversarial import AdversarialModel
from inversenet_tf.engine.optimizers import LowerableRate, new_learning_rate_factor
from inversenet_tf.engine.session import resume, train_on
from inversenet_tf.engine.training_loop import fit
from inversenet_tf.imaging.config import RuntimeConfig

ENDLESS = 2**40


class Pair(AdversarialModel):
    """`first` and `second`, either of which is to learn the sum of three numbers.

    Args:
        dropout: rate of it in both.
        changed: function of (model, name, loss) to the loss that is trained on.
    """

    def __init__(self, dropout=0.0, changed=lambda model, name, loss: loss):
        super().__init__()
        self.first = _network("first", dropout)
        self.second = _network("second", dropout)
        self.changed = changed
        self.built = True

    @property
    def networks(self):
        return {"first": self.first, "second": self.second}

    def train_step(self, batch):
        inputs, targets = batch
        logs = {}
        for name, network in self.networks.items():
            with tf.GradientTape() as tape:
                loss = _error(network(inputs, training=True), targets)
                loss = self.changed(self, name, loss)
            logs |= self.update(name, tape, loss)
        self.steps_taken.assign_add(1)
        return logs

    def test_step(self, batch):
        inputs, targets = batch
        return {"error": _error(self.first(inputs), targets)}


def _network(name, dropout):
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, activation="tanh", name="hidden")(inputs)
    if dropout:
        hidden = keras.layers.Dropout(dropout, name="dropout")(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, name="outputs")(hidden), name=name)


def _error(outputs, targets):
    return tf.reduce_mean(tf.square(outputs - targets))


def sgd(factor, rate=0.1):
    return keras.optimizers.SGD(LowerableRate(rate, factor))


def adam(factor, rate=0.01):
    return keras.optimizers.Adam(LowerableRate(rate, factor))


def compiled_pair(optimizer=sgd, clip_norm=None, **made):
    """A `Pair`, the same one for the same arguments; in the strategy's scope, if there is one."""
    keras.utils.set_random_seed(0)
    model = Pair(**made)
    factor = new_learning_rate_factor()
    model.compile(
        optimizers={name: optimizer(factor) for name in model.networks},
        clip_norm=clip_norm,
        learning_rate_factor=factor,
    )
    return model


def example(position):
    """(inputs, targets), a function of an integer."""
    inputs = tf.random.stateless_uniform((3,), [position, 7])
    return inputs, tf.reduce_sum(inputs, keepdims=True)


def examples(first, count, batch_size):
    """tf.data.Dataset of batches of examples."""
    options = tf.data.Options()
    options.autotune.enabled = False  # whose thread would be waited for when the process ends
    examples = tf.data.Dataset.range(first, first + count).map(example).batch(batch_size)
    return examples.with_options(options)


def batches_for(model, batch_size=4):
    """What `fit` and `train_on` take as `batches`."""

    def batches(context):
        share = context.get_per_replica_batch_size(batch_size)
        return examples(model.step * batch_size, ENDLESS, share)

    return batches


def held_out(context):
    """What they take as `validation`: five examples, in batches of two."""
    return examples(1000, 5, 2)


def fit_pair(model, strategy, *callbacks, steps=4, steps_per_epoch=2, **options):
    return fit(
        model,
        strategy,
        batches_for(model),
        held_out,
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        callbacks=callbacks,
        **options,
    )


def session(model, strategy, workdir, *callbacks, steps=6, steps_per_epoch=2):
    """Resumes and trains as both packages do."""
    config = SimpleNamespace(
        training=SimpleNamespace(steps=steps, steps_per_epoch=steps_per_epoch),
        runtime=RuntimeConfig(),
    )
    resume(model, strategy, workdir)
    train_on(model, strategy, workdir, batches_for(model), held_out, config, "some.rate", callbacks)


def terminate_at(step):
    """The callback by which this process is sent SIGTERM when that step has been taken."""
    return At(step, lambda: os.kill(os.getpid(), signal.SIGTERM))


def values(model):
    """Of all the model's state, by name, as arrays."""
    own = {
        id(getattr(model, name)): name
        for name in ("steps_taken", "epochs_ended", "learning_rate_factor")
    }
    return {
        own.get(id(variable), f"{index} {variable.name.split('/')[-1]}"): variable.numpy()
        for index, variable in enumerate(model.state_variables)
    }


class At(keras.callbacks.Callback):
    """Does something when that step has been taken."""

    def __init__(self, step, action):
        super().__init__()
        self._step, self._action = step, action

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == self._step:
            self._action()


class Recorder(keras.callbacks.Callback):
    """Notes which of its methods were called with what.

    Attributes:
        events: (name, index of the epoch or batch).
        logs: of every event that had some, (name, logs).
    """

    def __init__(self):
        super().__init__()
        self.events, self.logs = [], []

    def _note(self, event, index, logs):
        self.events.append((event, index))
        if logs:
            self.logs.append((event, dict(logs)))

    def on_train_begin(self, logs=None):
        self._note("train begin", None, logs)

    def on_train_end(self, logs=None):
        self._note("train end", None, None)

    def on_epoch_begin(self, epoch, logs=None):
        self._note("epoch begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._note("epoch end", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._note("batch begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._note("batch end", batch, logs)
