import numpy as np
import pytest
from PIL import Image

from blind_gan_tf import prior_training
from blind_gan_tf.callbacks import alarms, sample_grid, spread
from blind_gan_tf.config import PriorConfig
from blind_gan_tf.prior import load_prior
from blind_gan_tf.prior_training import train_prior
from inversenet_tf.imaging import checkpoints


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


def test_an_interrupted_run_ends_as_an_undisturbed_one(small_prior_config, tmp_path, monkeypatch):
    whole = train_prior(small_prior_config, tmp_path / "whole")

    class Interrupted(prior_training.PriorSaver):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prior_training, "PriorSaver", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_prior(small_prior_config, tmp_path / "cut")
    last = checkpoints.latest(tmp_path / "cut" / "checkpoints" / "last")
    assert checkpoints.step_of(last) == 2
    resumed = train_prior(small_prior_config, tmp_path / "cut")
    for ours, theirs in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_two_replicas_train(small_prior_config, tmp_path, monkeypatch, two_replicas):
    small_prior_config.training.deterministic = False
    monkeypatch.setattr(prior_training, "default_strategy", lambda: two_replicas)
    prior = train_prior(small_prior_config, tmp_path / "run")
    assert all(np.isfinite(weight).all() for weight in prior.get_weights())


def test_alarms():
    assert alarms(diversity=0.9, real_score=0.7, generated_score=0.3) == []
    [collapsed] = alarms(diversity=0.1, real_score=0.7, generated_score=0.3)
    assert "collapses" in collapsed and "0.10 times" in collapsed
    [saturated] = alarms(diversity=0.9, real_score=0.995, generated_score=0.004)
    assert "saturates" in saturated


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
        ("training", "steps", 3, "multiple of training.steps_per_epoch"),
        ("network", "name", "stylegan", "network.name"),
        ("data", "train", "idx:/nowhere", "no such file"),
    ],
)
def test_bad_configs_stop_before_anything_is_written(
    small_prior_config, tmp_path, section, field, value, message
):
    setattr(getattr(small_prior_config, section), field, value)
    with pytest.raises(ValueError, match=message):
        train_prior(small_prior_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
