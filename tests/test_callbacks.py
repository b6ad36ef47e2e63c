import time

import numpy as np
import pytest

from inversenet_tf import callbacks
from inversenet_tf.imaging import checkpoints
from inversenet_tf.inversenet import InverseNet
from inversenet_tf.training import build_model, compile_model, train


@pytest.fixture
def model(small_config):
    model = build_model(small_config)
    compile_model(model, small_config)
    return model


@pytest.fixture
def clock(monkeypatch):
    """`clock[0]` is what the monotonic clock says."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def test_seconds_are_those_of_all_sittings(model, clock, tmp_path):
    def sitting(steps):
        keeper = callbacks.Checkpoints(tmp_path)
        keeper.set_model(model)
        keeper.on_train_begin()
        for step in steps:
            clock[0] += 7.0
            model.optimizers["inverter"].iterations.assign(step)
            keeper.on_epoch_end(0, {"val_psnr_restored": float(step)})
        return checkpoints.scores(checkpoints.latest(tmp_path / "last"))

    assert sitting([1, 2]) == {"val_psnr_restored": 2.0, "seconds": 14.0}
    clock[0] += 1000.0  # between them
    assert sitting([3])["seconds"] == 21.0


def test_a_checkpoint_from_before_seconds_were_kept_counts_none(model, clock, tmp_path):
    checkpoints.save(model.state, 0, tmp_path / "last", {"val_psnr_restored": 1.0})
    keeper = callbacks.Checkpoints(tmp_path)
    keeper.set_model(model)
    keeper.on_train_begin()
    clock[0] += 7.0
    model.optimizers["inverter"].iterations.assign(1)
    keeper.on_epoch_end(0, {"val_psnr_restored": 2.0})
    assert checkpoints.scores(checkpoints.latest(tmp_path / "last"))["seconds"] == 7.0


def test_a_run_keeps_its_seconds(small_config, tmp_path):
    start = time.monotonic()
    train(small_config, tmp_path / "run")
    for kind in ("best", "last"):
        kept = checkpoints.scores(checkpoints.latest(tmp_path / "run" / "checkpoints" / kind))
        assert 0 < kept["seconds"] < time.monotonic() - start


def test_annealing_is_kept_at_the_steps_of_figure_1(model, images, tmp_path):
    measurements = images * 0.8
    keeper = callbacks.AnnealingSnapshots(tmp_path / "annealing", measurements, images)
    keeper.set_model(model)
    for step in (1, 2, 24, 25, 26, 50, 1600, 1601):
        model.optimizers["inverter"].iterations.assign(step)
        keeper.on_train_batch_end(0)
    kept = sorted(path.name for path in (tmp_path / "annealing").iterdir())
    assert kept == [f"step-{step:08d}.npz" for step in (1, 25, 50, 1600)]
    arrays = np.load(tmp_path / "annealing" / kept[0])
    assert set(arrays) == {"measurements", "images", "inverted", "restored"}
    np.testing.assert_array_equal(arrays["measurements"], measurements)
    np.testing.assert_array_equal(arrays["images"], images)
    for name, output in model(measurements, training=False).items():
        np.testing.assert_array_equal(arrays[name], output)


def test_annealing_without_a_denoiser(model, images, tmp_path):
    alone = InverseNet(model.inverter)
    alone.optimizers = model.optimizers
    keeper = callbacks.AnnealingSnapshots(tmp_path, images, images)
    keeper.set_model(alone)
    model.optimizers["inverter"].iterations.assign(1)
    keeper.on_train_batch_end(0)
    assert set(np.load(tmp_path / "step-00000001.npz")) == {"measurements", "images", "restored"}


def test_a_run_keeps_its_first_step(small_config, tmp_path):
    """Before the first epoch ends; the images are those that TensorBoard shows."""
    train(small_config, tmp_path / "run")
    (path,) = (tmp_path / "run" / "annealing").iterdir()
    assert path.name == "step-00000001.npz"
    assert np.load(path)["restored"].shape == (6, 32, 32, 3)
