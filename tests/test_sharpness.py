"""What would go wrong without a word: splits, seeds, schedules and profiles."""

import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.data import open_data
from inversenet_tf.engine.optimizers import new_learning_rate_factor
from inversenet_tf.evaluation import score
from inversenet_tf.imaging.config import DataConfig, NoiseConfig
from inversenet_tf.imaging.data.datasets import HELD_OUT, TRAINING, open_source
from inversenet_tf.imaging.data.pairs import evaluation_pairs, training_pairs
from inversenet_tf.imaging.metrics import GREATEST_PSNR
from inversenet_tf.imaging.physics.operators import Identity
from inversenet_tf.models.build import build_model
from inversenet_tf.models.compiling import build_optimizer, compile_model
from inversenet_tf.recipes import quickstart


def test_evaluation_sees_the_split_that_training_does_not():
    _, images, held_out = open_data(quickstart())
    assert held_out.names == open_source("photos", HELD_OUT).names
    assert images.names == open_source("photos", TRAINING).names
    assert not set(images.names) & set(held_out.names)


def test_evaluation_has_noise_that_no_training_has(image_folder):
    """The same image at the same position under the same seed."""
    source = open_source(f"folder:{image_folder}", TRAINING)
    data = DataConfig(size=32)
    noise = NoiseConfig(quantize=False, gaussian_sigma=0.1)
    settings = {"batch_size": 6, "seed": 0}
    measured, images = next(iter(evaluation_pairs(source, Identity(), noise, data, **settings)))
    evaluated = (measured - images).numpy()
    measured, images = next(iter(training_pairs(source, Identity(), noise, data, **settings)))
    trained = (measured - images).numpy()
    for one in evaluated:
        for other in trained:
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2


def test_scores_are_those_of_the_configs_profile(small_config):
    """A border that is wrong costs nothing where the profile leaves it out."""
    small_config.data.size, small_config.noise.quantize = 32, False
    small_config.operator.name = "identity"
    operator, _, held_out = open_data(small_config)

    def wrong_border(measurements):
        inside = np.zeros_like(measurements)
        inside[:, 4:-4, 4:-4] = measurements[:, 4:-4, 4:-4]
        return {"method": inside}

    scores, _ = score([wrong_border], held_out, operator, small_config)
    assert scores["method"]["psnr"] < 30
    small_config.metrics.crop = 4
    scores, _ = score([wrong_border], held_out, operator, small_config)
    assert scores["method"]["psnr"] == pytest.approx(GREATEST_PSNR)


def learning_rates(optimizer, steps):
    schedule = optimizer._learning_rate
    schedule = getattr(schedule, "schedule", schedule)
    return [float(schedule(step)) for step in steps]


def test_a_constant_rate_stays_after_its_warm_up(small_config):
    small_config.optimizer.warmup_fraction = 0.1
    optimizer = build_optimizer(small_config, 100, new_learning_rate_factor())
    rate = small_config.optimizer.learning_rate
    first, warm, middle, last = learning_rates(optimizer, (0, 10, 50, 100))
    assert first < 0.2 * rate
    assert (warm, middle, last) == (pytest.approx(rate),) * 3


def test_the_discriminators_schedule_ends_with_its_updates(small_config):
    """It is updated twice a step here, and only in the steps after the pretraining."""
    small_config.optimizer.schedule = "cosine"
    small_config.optimizer.discriminator_steps = 2
    small_config.loss.pretraining_fraction = 0.5
    small_config.training.steps = small_config.training.steps_per_epoch = 100
    with tf.device("CPU"):
        model = build_model(small_config)
        compile_model(model, small_config)
    rate = small_config.optimizer.learning_rate
    for name, updates in (("inverter", 100), ("discriminator", 100)):
        near, end = learning_rates(model.optimizers[name], (updates // 2, updates))
        assert near == pytest.approx(rate / 2, rel=1e-3) and end == pytest.approx(0, abs=1e-9)
