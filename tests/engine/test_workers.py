from types import SimpleNamespace

import pytest
import tensorflow as tf

from inversenet_tf.engine import workers
from inversenet_tf.engine.interruption import Interrupted
from inversenet_tf.engine.workers import is_chief, worker_count, worker_index


def of(cluster, task_type, task_id, replicas=2):
    """What of a strategy says who a worker is."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=task_type, task_id=task_id
    )
    return SimpleNamespace(cluster_resolver=resolver, num_replicas_in_sync=replicas)


WORKERS = {"worker": ["a:1", "a:2", "a:3"]}
CHIEF_AND_WORKERS = {"chief": ["a:1"], "worker": ["a:2", "a:3"]}


@pytest.mark.parametrize(
    ("strategy", "count", "index"),
    [
        (of(WORKERS, "worker", 0), 3, 0),
        (of(WORKERS, "worker", 2), 3, 2),
        (of(CHIEF_AND_WORKERS, "chief", 0), 3, 0),
        (of(CHIEF_AND_WORKERS, "worker", 0), 3, 1),
        (of(CHIEF_AND_WORKERS, "worker", 1), 3, 2),
        (of(CHIEF_AND_WORKERS | {"evaluator": ["a:4"]}, "worker", 1), 3, 2),
        (of({"worker": ["a:1"]}, "worker", 0), 1, 0),
        (of({}, "", 0), 1, 0),
        (SimpleNamespace(cluster_resolver=None, num_replicas_in_sync=2), 1, 0),
    ],
)
def test_every_worker_has_its_index_and_the_first_is_the_chief(strategy, count, index):
    assert (worker_count(strategy), worker_index(strategy)) == (count, index)
    assert is_chief(strategy) == (index == 0)
    context = workers.input_context(strategy)
    assert (context.num_input_pipelines, context.input_pipeline_id) == (count, index)
    assert context.num_replicas_in_sync == 2


def test_one_process_is_the_chief(one_device, two_replicas):
    for strategy in (one_device, two_replicas):
        assert worker_count(strategy) == 1 and is_chief(strategy)


def test_one_process_has_nothing_to_exchange(one_device):
    values = [tf.constant([1.0, 2.0])]
    assert workers.sum_over_workers(one_device, values) is values
    variable = tf.Variable(3.0)
    workers.take_from_chief(one_device, [variable])
    assert float(variable) == 3.0
    workers.check_agreement(one_device, config={"steps": 3})


@pytest.mark.parametrize("error", workers.LOST_WORKER)
def test_a_lost_worker_interrupts_the_others(one_device, error):
    """Which one process alone cannot lose."""
    fault = error(None, None, "connection reset by baseline")
    with (
        pytest.raises(Interrupted, match="Another worker has stopped"),
        workers.other_workers(of(WORKERS, "worker", 1)),
    ):
        raise fault
    with pytest.raises(error), workers.other_workers(one_device):
        raise fault
    with pytest.raises(KeyError), workers.other_workers(of(WORKERS, "worker", 1)):
        raise KeyError
