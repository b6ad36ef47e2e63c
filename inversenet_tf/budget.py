"""Equal time budgets: how many training steps fit into some minutes on this machine."""

import time

import tensorflow as tf

from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.engine.training_loop import TrainStep
from inversenet_tf.models.build import build_model
from inversenet_tf.models.compiling import comparator_of, compile_model
from inversenet_tf.models.memory import check_training_fits

WARM_UP, TIMED = 3, 9  # steps of the timing trial


def steps_within(config, minutes, seconds):
    """Returns how many steps fit into some minutes: those of whole epochs, of one at least.

    Reading images, validation and checkpoints are not counted, so that they favour no method.

    Args:
        config: a `Config`.
        minutes: the budget.
        seconds: the duration of a step, see `seconds_per_step`.
    """
    epoch = config.training.steps_per_epoch
    return max(1, int(minutes * 60 / seconds / epoch)) * epoch


def seconds_per_step(config):
    """Returns the shortest time of a training step on this machine; other work can only add to it.

    If the training begins with a pretraining, the mean over all steps of both kinds.

    Raises:
        ValueError: the training would take more memory than there is.
    """
    check_training_fits(config)
    strategy = build_strategy(config.runtime, config.training.batch_size)
    with strategy.scope():
        model = build_model(config)
        compile_model(model, config, comparator_of(config))
    size, count = config.data.size, config.training.batch_size // strategy.num_replicas_in_sync
    images = tf.random.uniform((count, size, size, config.data.channels))
    side = size // config.operator.scale
    batch = tf.random.uniform((count, side, side, config.measured_channels)), images
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    iterator = iter(strategy.distribute_datasets_from_function(lambda context: batches))
    train_step = TrainStep(model, strategy, config.runtime.xla)
    share = config.loss.pretraining_fraction
    seconds = 0.0
    for first, fraction_of_steps in ((0, share), (model.pretraining_steps, 1.0 - share)):
        if fraction_of_steps:
            model.steps_taken.assign(first)
            seconds += fraction_of_steps * _least_seconds(train_step, iterator)
    return seconds


def _least_seconds(train_step, iterator):
    times = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        train_step(iterator)
        times.append(time.perf_counter() - start)
    return min(times[WARM_UP:])
