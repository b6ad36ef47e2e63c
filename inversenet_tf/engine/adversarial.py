"""The training state and the update step shared by networks trained against each other."""

import keras
import tensorflow as tf
from absl import logging


class AdversarialModel(keras.Model):
    """Several networks, each trained by its own optimizer.

    A subclass names its `networks`, each of them an attribute. Its `train_step` (or the method that
    `next_step` returns) and its `test_step` take a batch and return scalars by name. Both may run
    in any replica of any strategy; `training_loop.fit` runs them.
    """

    @property
    def networks(self):
        """The trained networks by name."""
        raise NotImplementedError

    def compile(
        self, *, optimizers, clip_norm=None, learning_rate_factor=None, average=0.0, averaged=()
    ):
        """Sets up training; call it in the strategy's scope.

        Args:
            optimizers: dict of one Keras optimizer for each of `networks`.
            clip_norm: global norm to which each network's gradient is clipped; None: no clipping.
            learning_rate_factor: the variable that all learning rates are multiplied by, see
                `optimizers.py`; None where they cannot be lowered.
            average: decay of the exponential moving average of weights, 0 for none.
            averaged: names of the networks whose weights are averaged.
        """
        super().compile(optimizer=None, jit_compile=False)
        self.optimizers = optimizers
        for name, optimizer in optimizers.items():
            optimizer.build(getattr(self, name).trainable_variables)
        self.clip_norm = clip_norm
        self.learning_rate_factor = learning_rate_factor
        self.average = average
        names = averaged if average else ()
        self.averages = {name: twin(getattr(self, name)) for name in names}
        self.steps_taken = _counter()
        self.epochs_ended = _counter()  # only those whose validation is done

    @property
    def step(self):
        """Training steps taken so far."""
        return int(self.steps_taken.numpy())

    @property
    def next_step(self):
        """The method that takes the next training step; it may change during a training."""
        return self.train_step

    @property
    def state(self):
        """What a checkpoint holds, by name: everything that the next step depends on.

        The step is also the position in the data: a batch is a function of step and seed.
        """
        state = {"steps_taken": self.steps_taken, "epochs_ended": self.epochs_ended}
        if self.learning_rate_factor is not None:
            state["rate_factor"] = self.learning_rate_factor  # its name in checkpoints
        for name, network in self.networks.items():
            state[name] = network
            state[f"{name}_optimizer"] = self.optimizers[name]
            state[f"{name}_random"] = _random_states(network)
        for name, network in self.averages.items():
            state[average_of(name)] = network
        return state

    @property
    def state_variables(self):
        """The variables of `state`, in the same order in every process."""
        variables = []
        for part in self.state.values():
            variables += part if isinstance(part, list) else getattr(part, "variables", [part])
        return variables

    def in_use(self, name):
        """The network to use outside of training: with averaged weights where they are kept."""
        averages = getattr(self, "averages", {})  # there are none before `compile`
        return averages.get(name, getattr(self, name))

    def update_averages(self):
        """Moves the averages, including batch norm's statistics, towards the present weights."""
        # The average starts out short, so that it forgets the initial weights.
        step = tf.cast(self.steps_taken, tf.float32)
        share = 1.0 - tf.minimum(self.average, (1.0 + step) / (10.0 + step))
        for name, network in self.averages.items():
            present = getattr(self, name)
            for kept, weight in zip(network.weights, present.weights, strict=True):
                kept.assign_sub(share * (kept - weight))

    def update(self, name, tape, loss):
        """Updates a network by its gradient, averaged over the replicas and then clipped.

        A `keras.optimizers.LossScaleOptimizer` skips a step whose gradient overflows.

        Args:
            name: of the network.
            tape: the tape that recorded `loss`.
            loss: scalar, the mean over this replica's part of the batch.

        Returns:
            dict of scalars: the loss, the gradient's norm before clipping, whether it was
            clipped and, with loss scaling, whether the step was skipped.

        Raises:
            ValueError: the loss does not depend on some of the network's weights.
        """
        optimizer, variables = self.optimizers[name], getattr(self, name).trainable_variables
        with tape:
            scaled_loss = optimizer.scale_loss(loss)
        context = tf.distribute.get_replica_context()
        gradients = tape.gradient(scaled_loss, variables)
        unused = [v.path for v, g in zip(variables, gradients, strict=True) if g is None]
        if unused:
            raise ValueError(f"Expected all weights of the {name} to be used. Unused: {unused}")
        gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        scaled_norm = tf.linalg.global_norm(gradients)
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale = optimizer.dynamic_scale.value if is_scaled else 1.0
        norm = scaled_norm / scale
        logs = {f"{name}_loss": loss}
        if self.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm * scale, scaled_norm)
        if is_scaled:  # the optimizer skips a step whose gradient overflowed
            finite = tf.math.is_finite(norm)
            logs[f"{name}_skipped"] = 1.0 - tf.cast(finite, tf.float32)
            # A norm that is not finite without scaling either is no overflow, and is reported.
            norm = tf.where(finite | (scale <= 1.0), norm, 0.0)
        logs[f"{name}_gradient_norm"] = norm
        if self.clip_norm is not None:
            logs[f"{name}_clipped"] = tf.cast(norm > self.clip_norm, tf.float32)
        # The optimizer sums over the replicas, all of which now hold the same gradient.
        share = 1.0 / context.num_replicas_in_sync
        optimizer.apply([gradient * share for gradient in gradients], variables)
        return logs


def twin(network, **changes):
    """Returns a network of the same class and weights, with some arguments changed."""
    other = type(network).from_config(network.get_config() | changes)
    other.set_weights(network.get_weights())
    return other


def average_of(name):
    """Returns the name of a network's average in a checkpoint."""
    return f"{name}_average"


def _counter():
    return tf.Variable(
        0,
        trainable=False,
        dtype=tf.int64,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def _random_states(network):
    """The seeds of a network's random layers, which Keras does not expose to checkpoints."""
    weights = {id(variable) for variable in network.weights}
    return [variable.value for variable in network.variables if id(variable) not in weights]


def check_layers(model, replicas):
    """Checks that networks, also the caller's own, can be trained on several replicas.

    Logs a warning about random layers.

    Raises:
        ValueError: a batch normalisation is not synchronized over the replicas.
    """
    if replicas == 1:
        return
    for name, network in model.networks.items():
        for layer in _layers(network):
            if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized:
                raise ValueError(
                    f"Expected synchronized=True of {layer.name} in the {name}, with {replicas} "
                    "replicas. Received: False"
                )
        if _random_states(network):
            logging.warning(
                "The %s has random layers, which draw the same values in every replica: what is "
                "learned depends on the number of replicas.",
                name,
            )


def _layers(network):
    for layer in getattr(network, "layers", []):
        yield layer
        yield from _layers(layer)
