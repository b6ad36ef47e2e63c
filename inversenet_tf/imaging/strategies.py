"""Where a training runs: one device, all GPUs of a host, or several hosts."""

import contextlib
import functools
import json
import os
import zlib

import tensorflow as tf

from inversenet_tf.imaging.interruption import Interrupted

# What several processes agree on before TensorFlow does anything, so it is read from the outside.
TF_CONFIG = "TF_CONFIG"
# How TensorFlow reports a worker that died.
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


def build_strategy(runtime, batch_size):
    """The `tf.distribute.Strategy` of a `RuntimeConfig`; to be called before TensorFlow computes.

    Args:
        runtime: a `RuntimeConfig`.
        batch_size: of all replicas together.

    Raises:
        ValueError: the machine or `TF_CONFIG` is not what the config asks for, or the replicas
            cannot share the batch.
    """
    name = runtime.strategy
    if name == "auto" and len(_workers(_read_tf_config())) > 1:
        name = "multi_worker"
    if name == "multi_worker":
        strategy = _multi_worker(runtime)
    else:
        strategy = _of_one_host(name, runtime.replicas)
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(
            "Expected training.batch_size, which is that of all replicas, to be a multiple of "
            f"their number. Received: {batch_size} and {replicas}"
        )
    if runtime.xla and replicas > 1:
        raise ValueError(
            "Expected one replica with runtime.xla: inside a training step the replicas exchange "
            f"statistics and gradients, which XLA cannot compile. Received: {replicas}"
        )
    return strategy


def _of_one_host(name, replicas):
    if name == "default":
        if replicas > 1:
            raise ValueError(
                'Expected runtime.replicas 0 or 1 with runtime.strategy "default". Received: '
                f"{replicas}"
            )
        return tf.distribute.get_strategy()  # which is none: the default device
    devices = _devices(replicas)
    if name == "auto" and len(devices) == 1:
        return tf.distribute.get_strategy()
    return _mirrored(*devices)


@functools.cache
def _mirrored(*devices):
    """One strategy for all trainings of a process: a second one would reuse its collective keys."""
    return tf.distribute.MirroredStrategy(devices)


def _devices(replicas):
    """The names of that many devices; of all GPUs, or of the CPU, where it is 0."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus:
        if replicas > gpus:
            raise ValueError(f"Expected at most {gpus} runtime.replicas. Received: {replicas}")
        return [f"GPU:{i}" for i in range(replicas or gpus)]
    if replicas > 1:
        _split_cpu(replicas)
    return [f"CPU:{i}" for i in range(replicas or 1)]


def _split_cpu(count):
    """Makes virtual CPUs, each of which can be a replica: to try out what several GPUs will do."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    present = tf.config.get_logical_device_configuration(cpu) or [None]
    if len(present) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise ValueError(
            f"Expected runtime.replicas of at most {len(present)}, the virtual CPUs of this "
            f"process, which has used TensorFlow already. Received: {count}"
        ) from error


def _read_tf_config():
    """What `TF_CONFIG` holds; nothing without it.

    Raises:
        ValueError: it is not JSON of the form that TensorFlow reads.
    """
    text = os.environ.get(TF_CONFIG, "")
    if not text:
        return {}
    try:
        content = json.loads(text)
        clusters = content.get("cluster", {}).values()
        if all(isinstance(addresses, list) for addresses in clusters) and isinstance(
            content.get("task", {}), dict
        ):
            return content
    except (json.JSONDecodeError, AttributeError):
        pass
    raise ValueError(
        f'Expected {TF_CONFIG} like {{"cluster": {{"worker": ["host:port", ...]}}, "task": '
        f'{{"type": "worker", "index": 0}}}}. Received: {text}'
    )


def _workers(content):
    """The addresses of all training processes that `TF_CONFIG` names, the chief first."""
    cluster = content.get("cluster", {})
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _multi_worker(runtime):
    content = _read_tf_config()
    workers, task = _workers(content), content.get("task", {})
    if not workers:
        raise ValueError(
            f'Expected {TF_CONFIG} to name the workers, for runtime.strategy "multi_worker". '
            f"Received: {os.environ.get(TF_CONFIG)!r}"
        )
    if task.get("type") not in ("chief", "worker"):
        raise ValueError(
            f'Expected the task of {TF_CONFIG} to be of type "chief" or "worker". Received: {task}'
        )
    if runtime.replicas:
        raise ValueError(
            "Expected runtime.replicas 0 with several workers, of which each takes all its GPUs. "
            f"Received: {runtime.replicas}"
        )
    try:
        return _joined()
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise ValueError(f"Cannot join the workers {workers} as {task}: {error}") from error


@functools.cache
def _joined():
    return tf.distribute.MultiWorkerMirroredStrategy()


def worker_count(strategy):
    """How many processes train together."""
    resolver = strategy.cluster_resolver
    if resolver is None:
        return 1
    cluster = resolver.cluster_spec().as_dict()
    return max(1, sum(len(cluster.get(kind, [])) for kind in ("chief", "worker")))


def worker_index(strategy):
    """Which of them this one is, from 0, the chief."""
    resolver = strategy.cluster_resolver
    if resolver is None or worker_count(strategy) == 1:
        return 0
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)


def is_chief(strategy):
    """Whether this process is the one that writes."""
    return worker_index(strategy) == 0


def input_context(strategy):
    """This worker's `tf.distribute.InputContext`: which part of the data is its own."""
    return tf.distribute.InputContext(
        worker_count(strategy), worker_index(strategy), strategy.num_replicas_in_sync
    )


@contextlib.contextmanager
def other_workers(strategy):
    """Around what needs the other workers: where one is lost, `Interrupted` is raised."""
    try:
        yield
    except LOST_WORKER as error:
        if worker_count(strategy) == 1:
            raise
        raise Interrupted(
            "Another worker is gone. Start all of them again: they go on from the last checkpoint."
        ) from error


def sum_over_workers(strategy, values):
    """The sum of a list of tensors over all workers, each of which must call this."""
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
    # Collectives know no unsigned numbers, which seeds are.
    summable = [tf.cast(v, tf.int64) if v.dtype.is_unsigned else v for v in values]
    summed = sum_over_workers(strategy, [v * tf.cast(own, v.dtype) for v in summable])
    for variable, value in zip(variables, summed, strict=True):
        variable.assign(tf.cast(value, variable.dtype))


def check_agreement(strategy, **parts):
    """Whether all workers were given the same: a config, the names of images.

    Args:
        strategy: a `tf.distribute.Strategy`.
        **parts: what must be the same, by name; compared by its JSON.

    Raises:
        ValueError: another worker has another one.
    """
    workers = worker_count(strategy)
    if workers == 1:
        return
    marks = [zlib.crc32(json.dumps(part).encode()) for part in parts.values()]
    sums = sum_over_workers(strategy, [tf.constant(mark, tf.int64) for mark in marks])
    for name, mark, total in zip(parts, marks, sums, strict=True):
        if int(total) != workers * mark:
            raise ValueError(
                f"Expected the same {name} in all {workers} workers. Received: another one here "
                "than elsewhere"
            )
