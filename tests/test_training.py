import dataclasses
import itertools
import json
import re
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from inversenet_tf import chosen_constants, training
from inversenet_tf.config import Config
from inversenet_tf.data import open_data
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.callbacks import validations
from inversenet_tf.engine.divergence import REPORT_FILE, TrainingDiverged
from inversenet_tf.engine.optimizers import new_learning_rate_factor
from inversenet_tf.engine.workdir import CHECKPOINTS, CONFIG_FILE, HISTORY_FILE, read_config
from inversenet_tf.evaluation import evaluate
from inversenet_tf.imaging.files.locks import InUse, held
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.compiling import build_optimizer
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.recipes import compared_by_squeezenet
from inversenet_tf.trained_run import (
    keep_kernel,
    kept_operator,
    load_trained,
    with_own_operator,
)
from inversenet_tf.training import train

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture
def plain_config(small_config):
    """The same without the adversary, whose updates take half of the time to trace."""
    small_config.loss.adversarial_weight = 0.0
    return small_config


def all_weights(model):
    return [v.numpy() for network in model.networks.values() for v in network.variables]


def test_a_run_leaves_config_checkpoints_and_logs(small_config, tmp_path):
    small_config.runtime.kept_checkpoints = 1
    start = time.monotonic()
    model = train(small_config, tmp_path / "run")
    assert model.step == 4
    kept = json.loads((tmp_path / "run" / CONFIG_FILE).read_text())
    assert kept == json.loads(json.dumps(dataclasses.asdict(small_config)))
    last = checkpoints.latest(tmp_path / "run" / "checkpoints" / "last")
    assert last.name == "step-00000004"
    assert [path.name for path in last.parent.iterdir()] == [last.name]
    assert 0 < checkpoints.scores(last)["seconds"] < time.monotonic() - start
    logs = EventAccumulator(str(tmp_path / "run" / "logs"))
    logs.Reload()
    written = set(logs.Tags()["tensors"])
    assert {
        "training/discriminator_loss",
        "training/inverter_loss",
        "training/denoiser_loss",
        "validation/psnr_inverted",
        "validation/psnr_restored",
        "validation/ssim_inverted",
        "validation/ssim_restored",
        "examples",
        "training/discriminator_gradient_norm",
        "training/inverter_gradient_norm",
        "annealing/images - inverted",
        "annealing/images - restored",
        "annealing/mean of images - inverted",
        "annealing/variance of images - restored",
    } <= written
    steps = [event.step for event in logs.Tensors("annealing/images - restored")]
    assert steps == [0, 2, 4]


def test_a_second_training_of_one_work_directory_is_refused_before_it_touches_anything(
    bare_config, tmp_path
):
    """Also while the first has no checkpoint yet."""
    for name in ("config.json", "logs/events"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text("of the first")
    with held(tmp_path / "run"):
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
        with pytest.raises(InUse, match="run is in use by"):
            train(bare_config, tmp_path / "run")
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_a_batch_that_replicas_cannot_share_is_refused(bare_config, tmp_path):
    bare_config.training.batch_size = 3
    bare_config.runtime.replicas = 2
    with pytest.raises(ValueError, match="Received: 3 and 2"):
        train(bare_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_says_so_first_and_is_not_trained_again(
    bare_config, tmp_path, monkeypatch, caplog
):
    logging.use_python_logging(quiet=True)
    caplog.set_level("INFO", logger="absl")
    first = train(bare_config, tmp_path / "run")
    assert "is finished" not in caplog.text
    opened = []

    def noted(*arguments):
        opened.append("is finished: 4 of 4 steps" in caplog.text)
        return open_data(*arguments)

    monkeypatch.setattr(training, "open_data", noted)
    monkeypatch.setattr(training, "training_pairs", None)  # would fail if it trained
    bare_config.runtime.kept_checkpoints = 7  # which is no other experiment
    again = train(bare_config, tmp_path / "run")
    for expected, array in zip(all_weights(first), all_weights(again), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert opened == [True]
    kept = json.loads((tmp_path / "run" / CONFIG_FILE).read_text())
    assert kept["runtime"]["kept_checkpoints"] == 7


def test_what_may_follow_a_training_and_how_good_the_measurements_were(trained):
    own = evaluate(trained)["methods"]["degraded"]["psnr"]
    lines = training.what_next(trained).splitlines()
    found = re.search(r"step (\d): degraded ([\d.]+) dB, inverted .* restored", lines[0])
    assert found[1] in "24" and float(found[2]) == pytest.approx(own, abs=0.01)
    assert all(f"--workdir={trained}" in line for line in lines[1:])


def test_a_finished_run_is_extended(bare_config, image_folder, tmp_path):
    train(bare_config, tmp_path / "run")
    config = read_config(tmp_path / "run", Config)
    config.training.steps, config.training.batch_size = 5, 2
    config.data.train = config.data.validation = f"folder:{image_folder}/"
    with pytest.raises(ValueError, match="Use --extend to continue"):
        train(config, tmp_path / "run")
    assert train(config, tmp_path / "run", extend=True).step == 5
    steps = [kept["step"] for kept in validations(tmp_path / "run" / HISTORY_FILE)]
    assert steps == [2, 4, 5]
    assert train(config, tmp_path / "run").step == 5  # whose config it is by now


def test_a_training_begins_with_the_networks_of_another(trained, plain_config, tmp_path):
    where = shutil.copytree(trained, tmp_path / "another")
    plain_config.training.initial_weights = str(where)
    plain_config.optimizer.learning_rate = 1e-12
    plain_config.training.steps = plain_config.training.steps_per_epoch = 1
    begun, _, _ = load_trained(trained)
    model = train(plain_config, tmp_path / "run")
    for name, network in begun.networks.items():
        for found, expected in zip(
            model.networks[name].trainable_variables, network.trainable_variables, strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-6)
    plain_config.training.initial_weights = f"{where}/."
    shutil.rmtree(where)
    assert train(plain_config, tmp_path / "run").step == 1  # which needs it no more


def test_other_networks_are_no_initial_weights(trained, small_config, tmp_path):
    small_config.network.depth = 3
    small_config.training.initial_weights = str(trained)
    with pytest.raises(
        ValueError, match="the networks of the config in .*trained, with .* weights"
    ):
        train(small_config, tmp_path / "run")
    small_config.training.initial_weights = str(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="Expected a work directory.*nowhere"):
        train(small_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nan_stops_with_its_name_and_keeps_the_last_good_state(plain_config, tmp_path, monkeypatch):
    original = InverseNet._generator_loss

    def poisoned(self, *arguments):
        loss = original(self, *arguments)
        return loss + tf.where(self.steps_taken >= 2, np.nan, 0.0)

    monkeypatch.setattr(InverseNet, "_generator_loss", poisoned)
    named = "inverter_loss is nan.* denoiser_loss is nan.* at step 3, also at a lower"
    with pytest.raises(TrainingDiverged, match=named):
        train(plain_config, tmp_path / "run")
    last = checkpoints.latest(tmp_path / "run" / "checkpoints" / "last")
    assert last.name == "step-00000002"
    model, _, step = load_trained(tmp_path / "run", "last")
    assert step == 2
    assert all(np.isfinite(v).all() for v in model.inverter.get_weights())
    report = json.loads((tmp_path / "run" / REPORT_FILE).read_text(), parse_constant=pytest.fail)
    assert report["not_finite"]["inverter_loss"] == "nan"


def test_a_gradient_that_overflows_at_the_end_of_an_epoch_is_not_saved(
    plain_config, tmp_path, monkeypatch
):
    """The loss is still finite then, only the gradient is not."""
    original = InverseNet.update

    def poisoned(self, name, tape, loss):
        if name == "denoiser":
            steepness = tf.where(self.steps_taken >= 3, np.inf, 1.0)
            with tape:
                steep = tf.custom_gradient(
                    lambda value: (tf.identity(value), lambda gradient: steepness * gradient)
                )
                loss = steep(loss)
        return original(self, name, tape, loss)

    monkeypatch.setattr(InverseNet, "update", poisoned)
    with pytest.raises(TrainingDiverged, match="at step 4") as raised:
        train(plain_config, tmp_path / "run")
    assert "denoiser_gradient_norm" in str(raised.value)
    assert "denoiser_loss" not in str(raised.value)
    for kind in ("best", "last"):
        assert checkpoints.latest(tmp_path / "run" / CHECKPOINTS / kind).name == "step-00000002"


def test_a_failed_start_leaves_the_workdir_free(bare_config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(training, "example_batch", None)
        with pytest.raises(TypeError):
            train(bare_config, tmp_path / "run")
    bare_config.training.batch_size = 2
    assert train(bare_config, tmp_path / "run").step == 4


def test_nothing_of_a_failed_start_is_taken_for_what_begins_in_its_place(
    bare_config, tmp_path, monkeypatch
):
    """Neither the kernel nor the spectrum, nor the constants of the baselines."""
    attempts = itertools.count(1.0)
    monkeypatch.setattr(training, "spectrum_of", lambda *_: Spectrum(amplitude=next(attempts)))
    monkeypatch.setattr(chosen_constants, "choose_constants", lambda *_: {"at": next(attempts)})
    monkeypatch.setattr(training, "example_batch", None)

    def kept_by_an_attempt(workdir):
        with pytest.raises(TypeError):
            train(bare_config, workdir)
        names = ("kernel.npy", "spectrum.json", "baselines.json")
        return [(workdir / name).read_bytes() for name in names if (workdir / name).exists()]

    first = kept_by_an_attempt(tmp_path / "run")
    bare_config.operator.kernel = "flat"
    second = kept_by_an_attempt(tmp_path / "run")
    assert len(second) == 3 and not set(first) & set(second)
    bare_config.operator.name = "identity"
    assert kept_by_an_attempt(tmp_path / "run") == []


def test_the_config_tells_of_the_comparator(bare_config, tmp_path):
    def comparator(images):
        return tf.reduce_mean(images, axis=[1, 2])

    with pytest.raises(ValueError, match="loss.comparator"):
        train(bare_config, tmp_path / "run", comparator=comparator)
    bare_config.loss.comparator = "custom"
    with pytest.raises(ValueError, match="loss.comparator"):
        train(bare_config, tmp_path / "run")
    assert train(bare_config, tmp_path / "run", comparator=comparator).step == 4


def test_training_with_the_features_of_squeezenet(small_config, shared_data, tmp_path):
    weights = shared_data / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    if not weights.exists():
        pytest.skip("no weights of SqueezeNet beside the project")
    small_config.training.steps = 2
    small_config.loss.adversarial_weight = small_config.loss.reconstruction_weight = 0.0
    compared_by_squeezenet(small_config, weights)
    small_config.loss.comparator_size = 32
    assert train(small_config, tmp_path / "run").step == 2
    scores = checkpoints.scores(checkpoints.latest(tmp_path / "run" / CHECKPOINTS / "last"))
    for name in ("inverter", "denoiser"):  # which nothing but the features trains here
        assert scores[f"{name}_loss"] > 1e-3 and scores[f"{name}_gradient_norm"] > 1e-4


def test_missing_weights_of_the_comparator_stop_before_anything_is_written(small_config, tmp_path):
    small_config.loss.comparator = "squeezenet"
    small_config.loss.comparator_weights = str(tmp_path / "nowhere.h5")
    with pytest.raises(ValueError, match="nowhere.h5"):
        train(small_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_keeps_its_kernel(bare_config, tmp_path):
    kernel = np.outer(np.arange(1.0, 6.0), np.ones(5))
    np.save(tmp_path / "k.npy", kernel)
    bare_config.operator.kernel = "file"
    bare_config.operator.kernel_file = str(tmp_path / "k.npy")
    train(bare_config, tmp_path / "run")
    np.save(tmp_path / "k.npy", kernel.T)
    with pytest.raises(ValueError, match="the kernel that this run was started with"):
        train(bare_config, tmp_path / "run")
    (tmp_path / "k.npy").unlink()
    kept = kept_operator(tmp_path / "run", bare_config).kernel
    np.testing.assert_allclose(kept, kernel / kernel.sum(), rtol=1e-6)


def test_a_blur_of_the_callers_own_is_kept_as_it_is(bare_config, tmp_path):
    """Whatever its kernel sums up to, and with its negative values."""
    blur = Blur(np.array([[0.0, -0.1, 0.0], [0.1, 0.3, 0.1]]), "reflect")
    config = with_own_operator(bare_config, blur, None)
    with pytest.raises(ValueError, match="own Blur as operator=.*kernel.npy. Received: none"):
        kept_operator(tmp_path, config)
    keep_kernel(tmp_path, blur, is_new=True)
    kept = kept_operator(tmp_path, config)
    np.testing.assert_array_equal(kept.kernel, blur.kernel)
    assert kept.boundary == "reflect"


def test_what_no_config_holds_is_asked_for_before_any_work(bare_config, tmp_path):
    given = with_own_operator(bare_config, Blur(np.ones((3, 3))), None)
    with pytest.raises(ValueError, match="Expected the caller's own Blur as operator="):
        train(given, tmp_path / "run")
    bare_config.operator.name = "custom"
    with pytest.raises(ValueError, match="Expected the operator of .* as operator="):
        train(bare_config, tmp_path / "run")
    bare_config.operator.name, bare_config.noise.custom = "blur", True
    for operator in (None, Blur(np.ones((3, 3)))):
        with pytest.raises(ValueError, match="Expected the noise of this run as noise="):
            train(bare_config, tmp_path / "run", operator=operator)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_is_the_best_or_the_last(trained):
    with pytest.raises(ValueError, match=r"which in \('best', 'last'\). Received: 'newest'"):
        load_trained(trained, "newest")


def test_a_damaged_checkpoint_is_named(trained):
    best = checkpoints.latest(trained / CHECKPOINTS / "best")
    (best / "state.index").write_bytes(b"")
    with pytest.raises(OSError, match=f"Cannot read the checkpoint .*{best.name}"):
        load_trained(trained)


def test_the_learning_rate_schedule_ends_at_zero(small_config):
    small_config.optimizer.schedule = "cosine"
    factor = new_learning_rate_factor()
    rate = build_optimizer(small_config, 100, factor)._learning_rate
    for lowered in (1.0, 0.5):
        factor.assign(lowered)
        assert float(rate(0)) == pytest.approx(lowered * 1e-4)
        assert float(rate(50)) == pytest.approx(lowered * 5e-5)
        assert float(rate(100)) == pytest.approx(0, abs=1e-9)


def test_the_learning_rate_warms_up(small_config):
    small_config.optimizer.schedule, small_config.optimizer.warmup_fraction = "cosine", 0.2
    rate = build_optimizer(small_config, 100, new_learning_rate_factor())._learning_rate
    expected = {0: 0.0, 10: 5e-5, 20: 1e-4, 60: 5e-5, 100: 0.0}
    assert {step: float(rate(step)) for step in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("operator", "kernel_size", 33, "no larger than the image"),
        ("data", "size", 64, "none usable"),
        ("training", "seed", -1, "training.seed"),
        ("training", "batch_size", 2.5, "training.batch_size"),
        ("data", "train", "folder:/nowhere", "Expected a directory"),
        ("noise", "gaussian_sigma", -1.0, "noise.gaussian_sigma"),
    ],
)
def test_bad_input_stops_before_anything_is_written(
    small_config, tmp_path, section, field, value, message
):
    setattr(getattr(small_config, section), field, value)
    with pytest.raises(ValueError, match=message):
        train(small_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pairs_and_gray_images_train(bare_config, image_folder, darker_folder, tmp_path):
    bare_config.data.train = f"pairs:{image_folder},{darker_folder}"
    bare_config.data.validation = bare_config.data.train
    bare_config.data.channels = 1
    assert train(bare_config, tmp_path / "run").step == 4


def test_an_untrained_workdir_is_refused(small_config, tmp_path):
    from inversenet_tf.engine.workdir import open_workdir

    open_workdir(tmp_path, small_config)
    with pytest.raises(ValueError, match="no checkpoint yet"):
        load_trained(tmp_path)


def test_a_run_with_an_average_is_used_by_its_average(plain_config, tmp_path):
    """Validated, kept and loaded; the weights that are trained on stand beside it."""
    plain_config.training.average = 0.9
    model = train(plain_config, tmp_path / "run")
    used, _, _ = load_trained(tmp_path / "run", "last")
    for name in ("inverter", "denoiser"):
        kept, trained = model.averages[name], getattr(model, name)
        for array, expected, present in zip(
            used.networks[name].get_weights(),
            kept.get_weights(),
            trained.get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(array, expected)
            assert np.any(array != present)
    measurements = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype(np.float32)
    for name, output in used(measurements).items():
        np.testing.assert_allclose(output, model(measurements)[name], atol=1e-6)


def test_a_validation_sees_a_sample_of_all_and_the_middle_of_whole_photographs(
    bare_config, tmp_path, monkeypatch
):
    bare_config.data.evaluation_crop, bare_config.data.validation_limit = "whole", 2
    seen = []

    def evaluation_pairs(source, *others, **options):
        seen.append((source.names, options["largest_side"]))
        return pairs(source, *others, **options)

    pairs = training.evaluation_pairs
    monkeypatch.setattr(training, "evaluation_pairs", evaluation_pairs)
    monkeypatch.setattr(training, "LARGEST_VALIDATED", 36)
    training.train(bare_config, tmp_path / "run")
    assert seen and len(set(map(str, seen))) == 1
    names, side = seen[0]
    assert len(names) == 2 and names != ["0.png", "1.png"] and side == 36


def test_a_blank_validation_image_neither_freezes_the_choice_nor_makes_a_score_infinite(
    bare_config, image_folder, tmp_path
):
    Image.new("RGB", (40, 40)).save(image_folder / "blank.png")
    bare_config.training.steps_per_epoch = 1
    train(bare_config, tmp_path / "run")
    scores = validations(tmp_path / "run" / HISTORY_FILE)
    assert len(scores) == 4 and all(np.isfinite(list(s.values())).all() for s in scores)
    best = max(scores, key=lambda s: s["val_psnr_restored"])
    assert (
        checkpoints.step_of(checkpoints.latest(tmp_path / "run/checkpoints/best")) == best["step"]
    )
    for method in evaluate(tmp_path / "run").methods.values():
        assert np.isfinite([method["psnr"], method["ssim"]]).all()
        assert all(np.isfinite(list(image.values())).all() for image in method["per_image"])
