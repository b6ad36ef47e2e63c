"""Two virtual CPUs, so that tests of several replicas run anywhere; small images and runs."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from PIL import Image

from inversenet_tf.config import Config
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.imaging.config import RuntimeConfig
from inversenet_tf.training import train

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope="session")
def two_replicas():
    """The one strategy of that kind in this process, that of `runtime.replicas = 2`, too."""
    return build_strategy(RuntimeConfig(replicas=2), batch_size=2)


@pytest.fixture
def one_device():
    """The strategy that is none."""
    return tf.distribute.get_strategy()


@pytest.fixture
def warned(caplog):
    """`warned()` is the text of what was warned of so far."""
    logging.use_python_logging(quiet=True)
    caplog.set_level("WARNING")
    return lambda: "\n".join(
        record.getMessage() for record in caplog.records if record.levelname == "WARNING"
    )


@pytest.fixture
def images():
    """Two smooth random colour images with values over all of [0, 1]: [2, 32, 32, 3]."""
    coarse = np.random.default_rng(0).uniform(-0.2, 1.2, (2, 8, 8, 3))
    return tf.clip_by_value(tf.image.resize(coarse.astype(np.float32), (32, 32), "bicubic"), 0, 1)


@pytest.fixture
def shared_data():
    """Real kernels and images beside the project, where there are any."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data beside the project")
    return folder


@pytest.fixture
def image_folder(tmp_path):
    """Six PNG files of 40 x 48 noise."""
    return _noise(tmp_path / "images")


@pytest.fixture(scope="session")
def shared_image_folder(tmp_path_factory):
    """The same, for tests that leave it as it is."""
    return _noise(tmp_path_factory.mktemp("shared") / "images")


@pytest.fixture
def darker_folder(image_folder, tmp_path):
    """The same images at half the light: measurements of the user's own."""
    darker = tmp_path / "darker"
    darker.mkdir()
    for path in image_folder.iterdir():
        Image.fromarray(np.asarray(Image.open(path)) // 2).save(darker / path.name)
    return darker


def _noise(folder):
    folder.mkdir()
    generator = np.random.default_rng(1)
    for index in range(6):
        pixels = generator.integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def _small(folder):
    config = Config()
    config.data.train = config.data.validation = f"folder:{folder}"
    config.data.size = 32
    config.data.crop = "random"
    config.network.discriminator_width = 4
    config.training.batch_size = 4
    config.training.steps = 4
    config.training.steps_per_epoch = 2
    return config


@pytest.fixture
def small_config(image_folder):
    """A run of seconds: 32-pixel patches of `image_folder`, four steps of batch 4."""
    return _small(image_folder)


@pytest.fixture(scope="session")
def _trained(shared_image_folder, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained")
    train(_small(shared_image_folder), workdir)
    return workdir


@pytest.fixture
def trained(_trained, tmp_path):
    """The work directory of such a run, a copy of one's own."""
    return shutil.copytree(_trained, tmp_path / "trained")
