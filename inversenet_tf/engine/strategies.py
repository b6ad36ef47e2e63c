"""The devices of a training: one device, all GPUs of a host, or several hosts."""

import functools
import json
import os

import tensorflow as tf

# Processes must agree on it before TensorFlow does anything, so it is an environment variable.
TF_CONFIG = "TF_CONFIG"


def build_strategy(runtime, batch_size):
    """Builds the `tf.distribute.Strategy` of a config; call it before TensorFlow computes.

    Args:
        runtime: a `RuntimeConfig`.
        batch_size: of all replicas together.

    Raises:
        ValueError: the machine or `TF_CONFIG` is not what the config asks for, the replicas cannot
            share the batch, or XLA is asked for with several replicas.
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
            "Expected training.batch_size, the total over all replicas, to be a multiple of "
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
        return tf.distribute.get_strategy()  # the default device
    devices = _devices(replicas)
    if name == "auto" and len(devices) == 1:
        return tf.distribute.get_strategy()
    return _mirrored(*devices)


@functools.cache
def _mirrored(*devices):
    """One strategy for all trainings of a process: a second one would reuse its collective keys."""
    return tf.distribute.MirroredStrategy(devices)


def _devices(replicas):
    """The names of so many devices; for 0, of all GPUs, or of the CPU if there is none."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus:
        if replicas > gpus:
            raise ValueError(f"Expected at most {gpus} runtime.replicas. Received: {replicas}")
        return [f"GPU:{i}" for i in range(replicas or gpus)]
    if replicas > 1:
        _split_cpu(replicas)
    return [f"CPU:{i}" for i in range(replicas or 1)]


def _split_cpu(count):
    """Splits the CPU into virtual ones, each for a replica, to try out training on several GPUs."""
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
    """The content of `TF_CONFIG`; empty if it is not set.

    Raises:
        ValueError: it is not JSON in the form that TensorFlow expects.
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
    """The addresses of all training processes in `TF_CONFIG`, the chief first."""
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
            "Expected runtime.replicas 0 with several workers, each of which uses all its GPUs. "
            f"Received: {runtime.replicas}"
        )
    try:
        return _joined()
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise ValueError(f"Cannot join the workers {workers} as {task}: {error}") from error


@functools.cache
def _joined():
    return tf.distribute.MultiWorkerMirroredStrategy()
