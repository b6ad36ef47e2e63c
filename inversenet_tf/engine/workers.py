"""Communication between workers, the processes of one training."""

import contextlib
import json
import zlib

import tensorflow as tf

from inversenet_tf.engine.interruption import Interrupted

# How TensorFlow reports a worker that died.
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


def worker_count(strategy):
    """The number of processes that train together."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return 1
    cluster = resolver.cluster_spec().as_dict()
    return max(1, sum(len(cluster.get(kind, [])) for kind in ("chief", "worker")))


def worker_index(strategy):
    """The index of this process among the workers; the chief has 0."""
    resolver = strategy.cluster_resolver
    if resolver is None or worker_count(strategy) == 1:
        return 0
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)


def is_chief(strategy):
    """Whether this process is the chief, which alone writes files."""
    return worker_index(strategy) == 0


def input_context(strategy):
    """This worker's `tf.distribute.InputContext`, which selects its part of the data."""
    return tf.distribute.InputContext(
        worker_count(strategy), worker_index(strategy), strategy.num_replicas_in_sync
    )


@contextlib.contextmanager
def other_workers(strategy):
    """Context for what needs the other workers: raises `Interrupted` if one of them is lost."""
    try:
        yield
    except LOST_WORKER as error:
        if worker_count(strategy) == 1:
            raise
        raise Interrupted(
            "Another worker has stopped. Restart all of them: they resume from the last checkpoint."
        ) from error


def sum_over_workers(strategy, values):
    """Sums each tensor of a list over all workers, each of which must call this."""
    if worker_count(strategy) == 1:
        return values
    replicas_here = strategy.num_replicas_in_sync // worker_count(strategy)

    @tf.function
    def summed(values):
        def replica():
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % replicas_here == 0
            return [
                context.all_reduce(tf.distribute.ReduceOp.SUM, value * tf.cast(first, value.dtype))
                for value in values
            ]

        return strategy.run(replica)

    with other_workers(strategy):
        return [strategy.experimental_local_results(v)[0] for v in summed(values)]


def take_from_chief(strategy, variables):
    """Gives every worker the chief's values, so that only the chief need read a checkpoint."""
    if worker_count(strategy) == 1:
        return
    own = tf.constant(is_chief(strategy))
    values = [tf.convert_to_tensor(variable) for variable in variables]
    # Collectives do not support unsigned integers, such as seeds.
    summable = [tf.cast(v, tf.int64) if v.dtype.is_unsigned else v for v in values]
    summed = sum_over_workers(strategy, [v * tf.cast(own, v.dtype) for v in summable])
    for variable, value in zip(variables, summed, strict=True):
        variable.assign(tf.cast(value, variable.dtype))


def check_agreement(strategy, **parts):
    """Checks that all workers were given the same, such as the config or the names of images.

    Args:
        strategy: a `tf.distribute.Strategy`.
        **parts: what must be the same, by name; compared as JSON.

    Raises:
        ValueError: it differs between workers.
    """
    workers = worker_count(strategy)
    if workers == 1:
        return
    marks = [zlib.crc32(json.dumps(part).encode()) for part in parts.values()]
    sums = sum_over_workers(strategy, [tf.constant(mark, tf.int64) for mark in marks])
    for name, mark, total in zip(parts, marks, sums, strict=True):
        if int(total) != workers * mark:
            raise ValueError(
                f"Expected the same {name} in all {workers} workers. Received: a different one "
                "here than elsewhere"
            )
