import json
from types import SimpleNamespace

import pytest
import tensorflow as tf

from inversenet_tf.engine import strategies
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.imaging.config import RuntimeConfig

TWO = {"worker": ["localhost:1", "localhost:2"]}
FIRST = {"type": "worker", "index": 0}


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch):
    """In the place of strategies of several devices or hosts stands what they were asked for."""

    def mirrored(*devices):
        return SimpleNamespace(devices=devices, num_replicas_in_sync=len(devices))

    monkeypatch.setattr(strategies, "_mirrored", mirrored)
    monkeypatch.setattr(strategies, "_joined", lambda: pytest.fail("a cluster was started"))
    monkeypatch.delenv("TF_CONFIG", raising=False)
    tf.constant(0.0)  # so that there are as many CPUs as there are


@pytest.fixture
def joining(monkeypatch):
    """Two workers of one device each, of which one is here."""
    monkeypatch.setattr(strategies, "_joined", lambda: SimpleNamespace(num_replicas_in_sync=2))


@pytest.fixture
def gpus(monkeypatch):
    """Three of them."""
    present = tf.config.list_physical_devices

    def with_gpus(kind=None):
        return ["GPU:0", "GPU:1", "GPU:2"] if kind == "GPU" else present(kind)

    monkeypatch.setattr(tf.config, "list_physical_devices", with_gpus)


def cluster(monkeypatch, tf_config):
    text = tf_config if isinstance(tf_config, str) else json.dumps(tf_config)
    monkeypatch.setenv("TF_CONFIG", text)


@pytest.mark.parametrize("name", ["auto", "default"])
@pytest.mark.parametrize("replicas", [0, 1])
def test_without_gpus_there_is_one_device(one_device, name, replicas):
    assert build_strategy(RuntimeConfig(name, replicas), 3) is one_device


@pytest.mark.parametrize(
    ("runtime", "devices"),
    [
        (RuntimeConfig(replicas=2), ("CPU:0", "CPU:1")),
        (RuntimeConfig("mirrored"), ("CPU:0",)),
        (RuntimeConfig("mirrored", replicas=2), ("CPU:0", "CPU:1")),
        (RuntimeConfig("mirrored", xla=True), ("CPU:0",)),
    ],
)
def test_replicas_without_gpus_are_virtual_cpus(runtime, devices):
    assert build_strategy(runtime, 4).devices == devices


@pytest.mark.parametrize(
    ("runtime", "devices"),
    [
        (RuntimeConfig(), ("GPU:0", "GPU:1", "GPU:2")),
        (RuntimeConfig("mirrored"), ("GPU:0", "GPU:1", "GPU:2")),
        (RuntimeConfig(replicas=2), ("GPU:0", "GPU:1")),
        (RuntimeConfig("mirrored", replicas=1), ("GPU:0",)),
    ],
)
def test_all_gpus_are_taken_or_as_many_as_are_asked_for(gpus, runtime, devices):
    assert build_strategy(runtime, 6).devices == devices


def test_one_of_several_gpus_is_one_device(gpus, one_device):
    assert build_strategy(RuntimeConfig(replicas=1), 3) is one_device
    assert build_strategy(RuntimeConfig("default", replicas=1), 3) is one_device


def test_the_default_device_is_one_beside_several_gpus(gpus, one_device):
    assert build_strategy(RuntimeConfig("default"), 3) is one_device


@pytest.mark.parametrize("tf_config", ["", {}, {"cluster": {}}, {"cluster": {"worker": ["a:1"]}}])
def test_auto_without_other_workers_is_one_device(one_device, monkeypatch, tf_config):
    cluster(monkeypatch, tf_config)
    assert build_strategy(RuntimeConfig(), 3) is one_device


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
@pytest.mark.parametrize(
    "tf_config",
    [
        {"cluster": TWO, "task": FIRST},
        {"cluster": {"chief": ["a:1"], "worker": ["a:2"]}, "task": {"type": "chief", "index": 0}},
    ],
)
def test_several_workers_are_joined(joining, monkeypatch, name, tf_config):
    cluster(monkeypatch, tf_config)
    assert build_strategy(RuntimeConfig(name), 4).num_replicas_in_sync == 2


def test_several_workers_are_not_joined_where_one_host_is_asked_for(one_device, monkeypatch):
    cluster(monkeypatch, {"cluster": TWO, "task": FIRST})
    assert build_strategy(RuntimeConfig("default"), 3) is one_device
    assert build_strategy(RuntimeConfig("mirrored"), 3).devices == ("CPU:0",)


@pytest.mark.parametrize(
    ("runtime", "batch_size", "message"),
    [
        (RuntimeConfig(replicas=2), 3, "multiple of their number. Received: 3 and 2"),
        (RuntimeConfig(replicas=2, xla=True), 4, "one replica with runtime.xla.*Received: 2"),
        (RuntimeConfig("default", replicas=2), 4, 'runtime.replicas 0 or 1 with .* "default".* 2'),
        (RuntimeConfig(replicas=3), 3, "runtime.replicas of at most 2, .*Received: 3"),
        (RuntimeConfig("multi_worker"), 4, "TF_CONFIG to name the workers.*Received: None"),
    ],
)
def test_what_this_host_cannot_do_is_refused(runtime, batch_size, message):
    with pytest.raises(ValueError, match=message):
        build_strategy(runtime, batch_size)


def test_more_replicas_than_gpus_are_refused(gpus):
    with pytest.raises(ValueError, match="at most 3 runtime.replicas. Received: 4"):
        build_strategy(RuntimeConfig(replicas=4), 4)


MALFORMED = {
    "no JSON": "{",
    "a list": "[1, 2]",
    "a number": "7",
    "a cluster that is a list": {"cluster": ["a:1", "a:2"], "task": FIRST},
    "no cluster": {"cluster": None, "task": FIRST},
    "a number of workers": {"cluster": {"worker": 2}, "task": FIRST},
    "an address in the place of a list": {"cluster": {"worker": "a:1"}, "task": FIRST},
    "a task that is null": {"cluster": TWO, "task": None},
    "a task that is a name": {"cluster": TWO, "task": "worker"},
}


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_cluster_is_refused(monkeypatch, name, malformed):
    cluster(monkeypatch, MALFORMED[malformed])
    with pytest.raises(ValueError, match="Expected .*TF_CONFIG.*Received: "):
        build_strategy(RuntimeConfig(name), 4)


@pytest.mark.parametrize(
    ("tf_config", "message"),
    [
        (
            {"cluster": TWO, "task": {"type": "ps", "index": 0}},
            '"chief" or "worker".*Received: .*ps',
        ),
        ({"cluster": TWO, "task": {"type": "evaluator"}}, '"chief" or "worker".*evaluator'),
        ({"cluster": TWO, "task": {}}, '"chief" or "worker"'),
        ({"cluster": TWO}, '"chief" or "worker"'),
    ],
)
def test_a_task_that_does_not_train_is_refused(monkeypatch, tf_config, message):
    cluster(monkeypatch, tf_config)
    for name in ("auto", "multi_worker"):
        with pytest.raises(ValueError, match=message):
            build_strategy(RuntimeConfig(name), 4)


@pytest.mark.parametrize("tf_config", ["", {}, {"cluster": {"ps": ["a:1"]}}])
def test_several_workers_without_a_name_are_refused(monkeypatch, tf_config):
    cluster(monkeypatch, tf_config)
    with pytest.raises(ValueError, match="TF_CONFIG to name the workers"):
        build_strategy(RuntimeConfig("multi_worker"), 4)


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
def test_replicas_of_several_workers_are_their_own_affair(monkeypatch, name):
    cluster(monkeypatch, {"cluster": TWO, "task": FIRST})
    with pytest.raises(ValueError, match="runtime.replicas 0 with several workers.*Received: 2"):
        build_strategy(RuntimeConfig(name, replicas=2), 4)


@pytest.mark.parametrize(
    ("runtime", "batch_size", "message"),
    [(RuntimeConfig(), 3, "3 and 2"), (RuntimeConfig(xla=True), 4, "runtime.xla.*Received: 2")],
)
def test_workers_are_replicas(joining, monkeypatch, runtime, batch_size, message):
    cluster(monkeypatch, {"cluster": TWO, "task": FIRST})
    with pytest.raises(ValueError, match=message):
        build_strategy(runtime, batch_size)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no route to host"),
        ValueError("no route to host"),
        tf.errors.UnavailableError(None, None, "no route to host"),
    ],
)
def test_workers_that_cannot_be_joined_are_named(monkeypatch, error):
    def unreachable():
        raise error

    monkeypatch.setattr(strategies, "_joined", unreachable)
    cluster(monkeypatch, {"cluster": TWO, "task": FIRST})
    with pytest.raises(ValueError, match="join the workers .*localhost:2.*: no route to host"):
        build_strategy(RuntimeConfig(), 4)
