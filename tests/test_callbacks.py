import numpy as np
import pytest

from inversenet_tf import callbacks
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.callbacks import History, validations
from inversenet_tf.models.build import build_model
from inversenet_tf.models.compiling import compile_model
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.training import train


@pytest.fixture
def model(small_config):
    model = build_model(small_config)
    compile_model(model, small_config)
    return model


def test_the_best_checkpoint_is_that_of_the_best_validation(model, tmp_path):
    for step, psnr in [(1, 20.0), (2, 22.0), (3, 21.0), (4, 22.0)]:
        keeper = callbacks.BestCheckpoint(tmp_path / "best")  # of any session
        keeper.set_model(model)
        keeper.on_train_begin()
        model.steps_taken.assign(step)
        keeper.on_epoch_end(0, {"val_psnr_restored": psnr, "inverter_loss": 1.0})
    [best] = (tmp_path / "best").iterdir()
    assert best.name == "step-00000002"
    assert checkpoints.scores(best) == {"val_psnr_restored": 22.0, "inverter_loss": 1.0}


def test_a_best_checkpoint_that_cannot_be_read_is_no_longer_the_best(model, tmp_path, warned):
    keeper = callbacks.BestCheckpoint(tmp_path / "best")
    keeper.set_model(model)
    for step, psnr in [(1, 20.0), (2, 10.0)]:
        model.steps_taken.assign(step)
        keeper.on_epoch_end(0, {"val_psnr_restored": psnr})
        (checkpoints.latest(tmp_path / "best") / "scores.json").write_text("")
    assert checkpoints.latest(tmp_path / "best").name == "step-00000002"
    assert "step-00000001" in warned()


def test_annealing_is_kept_at_the_steps_of_figure_1(model, images, tmp_path):
    measurements = images * 0.8
    keeper = callbacks.AnnealingSnapshots(tmp_path / "annealing", measurements, images)
    keeper.set_model(model)
    for step in (1, 2, 24, 25, 26, 50, 1600, 1601):
        model.steps_taken.assign(step)
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
    alone.steps_taken = model.steps_taken
    keeper = callbacks.AnnealingSnapshots(tmp_path, images, images)
    keeper.set_model(alone)
    model.steps_taken.assign(1)
    keeper.on_train_batch_end(0)
    assert set(np.load(tmp_path / "step-00000001.npz")) == {"measurements", "images", "restored"}


def test_a_run_keeps_its_first_step_where_it_is_asked_to(bare_config, tmp_path, trained):
    """Before the first epoch ends; the images are those that TensorBoard shows."""
    assert not (trained / "annealing").exists()
    bare_config.runtime.annealing_snapshots = True
    train(bare_config, tmp_path / "run")
    (path,) = (tmp_path / "run" / "annealing").iterdir()
    assert path.name == "step-00000001.npz"
    assert np.load(path)["restored"].shape == (6, 32, 32, 3)


@pytest.mark.parametrize(("gain", "is_dead"), [(0.01, True), (0.2, False)])
def test_a_denoiser_that_corrects_nothing_is_told_of(gain, is_dead, model, images, warned):
    class Corrected:
        """A model whose denoiser takes away a part of the error that the inverter leaves."""

        denoiser, step = "some", callbacks.DenoiserAlarm.FIRST_STEP

        def __call__(self, inputs, training):
            return {"inverted": inputs, "restored": inputs + gain * (images - inputs)}

    alarm = callbacks.DenoiserAlarm(0.5 * images, images)
    alarm.set_model(Corrected())
    alarm.on_epoch_end(0, {})
    assert ("the denoiser changes next to nothing" in warned()) == is_dead


def test_no_denoiser_no_alarm(model, images, warned):
    alone = InverseNet(model.inverter)
    alone.steps_taken = model.steps_taken
    alone.steps_taken.assign(1000)
    alarm = callbacks.DenoiserAlarm(images, images)
    alarm.set_model(alone)
    alarm.on_epoch_end(0, {})
    assert not warned()


def test_the_history_forgets_what_was_taken_back(tmp_path, model):
    history = History(tmp_path / "history.json")
    history.set_model(model)
    for step, psnr in [(2, 20.0), (4, 21.0), (2, 20.5)]:
        model.steps_taken.assign(step)
        history.on_epoch_end(0, {"val_psnr_restored": np.float32(psnr)})
    assert validations(tmp_path / "history.json") == [{"step": 2, "val_psnr_restored": 20.5}]
