import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from blind_gan_tf.callbacks import PriorLog, sample_grid, spread
from blind_gan_tf.config import PriorConfig
from blind_gan_tf.prior import load_prior
from blind_gan_tf.prior_training import build_prior, compile_prior, train_prior
from inversenet_tf.engine import callbacks, checkpoints, session
from inversenet_tf.imaging.files.locks import InUse, held


@pytest.fixture
def small_prior_config():
    config = PriorConfig()
    config.data.train = config.data.validation = "digits"
    config.data.channels = 1
    config.data.size = 32
    config.data.validation_limit = 9
    config.latents.size = 8
    config.network.name = "digits"
    config.network.generator_width = config.network.discriminator_width = 2
    config.training.batch_size = 4
    config.training.steps = 4
    config.training.steps_per_epoch = 2
    config.training.average = 0.9
    config.training.deterministic = True
    return config


def test_a_run_leaves_a_prior_samples_and_logs(small_prior_config, tmp_path):
    prior = train_prior(small_prior_config, tmp_path / "run")
    loaded = load_prior(tmp_path / "run")
    np.testing.assert_allclose(loaded.sample(2), prior.sample(2), atol=1e-6)
    assert loaded.training["step"] == 4
    assert loaded.training["config"]["data"]["train"] == "digits"
    assert Image.open(tmp_path / "run" / "samples.png").size == (100, 100)  # 3 x 3 of 32, gaps
    assert list((tmp_path / "run" / "logs").iterdir())


def test_a_work_directory_is_for_one_process(small_prior_config, tmp_path):
    with held(tmp_path / "run"), pytest.raises(InUse, match="run is in use by"):
        train_prior(small_prior_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_interrupted_run_ends_as_an_undisturbed_one(small_prior_config, tmp_path, monkeypatch):
    whole = train_prior(small_prior_config, tmp_path / "whole")

    class Interrupted(session.LastCheckpoints):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "LastCheckpoints", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_prior(small_prior_config, tmp_path / "cut")
    last = checkpoints.latest(tmp_path / "cut" / "checkpoints" / "last")
    assert checkpoints.step_of(last) == 2
    resumed = train_prior(small_prior_config, tmp_path / "cut")
    for ours, theirs in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_training_begins_with_both_networks_of_another(small_prior_config, tmp_path):
    begun = train_prior(small_prior_config, tmp_path / "begun")
    small_prior_config.training.initial_weights = str(tmp_path / "begun")
    small_prior_config.training.learning_rate = 1e-12
    small_prior_config.training.steps = small_prior_config.training.steps_per_epoch = 1
    small_prior_config.training.seed = 1
    tuned = train_prior(small_prior_config, tmp_path / "tuned")
    for name, network in begun.networks.items():
        for weight, expected in zip(
            tuned.networks[name].trainable_variables, network.trainable_variables, strict=True
        ):
            np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_a_training_refuses_the_networks_of_another_width(small_prior_config, tmp_path):
    small_prior_config.training.initial_weights = "digits"
    with pytest.raises(ValueError, match="prior with the .* of the config.*Received: digits, with"):
        train_prior(small_prior_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_replicas_give_what_one_gives(small_prior_config, tmp_path, monkeypatch):
    """Weights, batch norm's statistics, the average, Adam's moments."""

    def smooth(*slope, **options):  # a ReLU's gradient jumps where its input is rounding noise
        return keras.layers.Activation("softplus", **options)

    monkeypatch.setattr(keras.layers, "ReLU", smooth)
    monkeypatch.setattr(keras.layers, "LeakyReLU", smooth)
    small_prior_config.training.deterministic = False
    kept = []
    for replicas in (1, 2):
        small_prior_config.runtime.replicas = replicas
        train_prior(small_prior_config, tmp_path / str(replicas))
        last = checkpoints.latest(tmp_path / str(replicas) / "checkpoints" / "last")
        reader = tf.train.load_checkpoint(str(last / "state"))
        names = [n for n, t in reader.get_variable_to_dtype_map().items() if t.is_floating]
        kept.append({name: reader.get_tensor(name) for name in names})
    one, two = kept
    assert one.keys() == two.keys() and len(one) > 50
    assert any("generator_average" in name for name in one) and any(
        "moving" in name for name in one
    )
    for name, expected in one.items():
        np.testing.assert_allclose(two[name], expected, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("diversity", [0.2, 0.5])
def test_a_generator_that_collapses_is_warned_of(small_prior_config, tmp_path, warned, diversity):
    prior = build_prior(small_prior_config)
    for weight in prior.generator.trainable_variables:  # untrained samples hardly differ
        weight.assign(10.0 * weight)
    compile_prior(prior, small_prior_config)
    latents = prior.latents.draw((16,), [0, -1])
    samples = (prior.in_use("generator")(latents, training=False).numpy() + 1.0) / 2.0
    log = PriorLog(tmp_path, tmp_path / "logs", samples / diversity, seed=0)
    log.set_model(prior)
    log.on_train_begin()
    log.on_epoch_end(0, {"real_score": 0.7})
    log.on_train_end()
    said = f"Step 0: the generator collapses: its samples differ {diversity:.2f} times as much"
    assert (said in warned()) == (diversity < 0.3)


def test_images_that_do_not_differ_say_nothing_of_diversity(small_prior_config, tmp_path, warned):
    prior = build_prior(small_prior_config)
    compile_prior(prior, small_prior_config)
    image = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    log = PriorLog(tmp_path, tmp_path / "logs", image.repeat(7, 0), seed=0)
    log.set_model(prior)
    log.on_train_begin()
    log.on_epoch_end(0, {"real_score": 0.7})
    log.on_train_end()
    written = b"".join(path.read_bytes() for path in (tmp_path / "logs").iterdir())
    assert b"prior/real_score" in written and b"prior/diversity" not in written
    assert (tmp_path / "samples.png").exists() and "collapses" not in warned()


def test_a_training_warns_of_a_discriminator_that_has_won(
    small_prior_config, tmp_path, warned, monkeypatch
):
    monkeypatch.setattr(callbacks, "SATURATED_REAL", 0.0)
    monkeypatch.setattr(callbacks, "SATURATED_GENERATED", 1.0)
    small_prior_config.training.steps = small_prior_config.training.steps_per_epoch = 1
    train_prior(small_prior_config, tmp_path / "run")
    advice = "A narrower discriminator or training.real_label=0.9 may help."
    assert "the discriminator saturates" in warned() and advice in warned()


def test_collapsed_samples_have_no_spread():
    one = np.random.default_rng(0).uniform(size=(1, 4, 4, 1))
    assert spread(np.repeat(one, 5, 0)) < 1e-12
    assert spread(np.stack([np.zeros((2, 2, 1)), np.ones((2, 2, 1))])) == 0.5


def test_the_grid_reads_left_to_right_and_down():
    samples = np.arange(5)[:, None, None, None] * np.full((1, 3, 3, 1), 0.2)
    grid = sample_grid(samples)
    assert grid.shape == (8, 8, 1)
    np.testing.assert_allclose(grid[[0, 0, 5, 5], [0, 5, 0, 5], 0], [0.0, 0.2, 0.4, 0.6])


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("data", "size", 64, "Expected data.size 32"),
        ("latents", "size", 0, "latents.size >= 1"),
        ("latents", "distribution", "cauchy", "latents.distribution"),
        ("training", "average", 1.5, "training.average from 0 to 1"),
        ("training", "steps", 0, "training.steps >= 1"),
        ("network", "name", "stylegan", "network.name"),
        ("runtime", "strategy", "horovod", "runtime.strategy"),
        ("data", "train", "idx:/nowhere", "no such file"),
        ("data", "validation_limit", 1, "at least two held-out images"),
    ],
)
def test_bad_configs_stop_before_anything_is_written(
    small_prior_config, tmp_path, section, field, value, message
):
    setattr(getattr(small_prior_config, section), field, value)
    with pytest.raises(ValueError, match=message):
        train_prior(small_prior_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
