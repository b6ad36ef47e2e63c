"""Two virtual CPUs, so that tests of several replicas run anywhere; small images and runs."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Each of the processes that share the tests has a core; more threads of BLAS would only wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import programs
import pytest
import tensorflow as tf
from absl import logging
from PIL import Image

from inversenet_tf.config import NONE, Config
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.config import RuntimeConfig
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.serving import fresh_process
from inversenet_tf.training import train

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
programs.leave_graphs_as_traced()

LONGEST = (
    "test_tools.py",
    "paper/test_tables.py",
    "test_two_workers.py",
    "test_training.py",
    "test_examples.py",
    "blind_gan/test_experiment.py",
    "test_replicas.py",
    "models/test_build.py",
    "exporting/test_lite.py",
    "blind_gan/test_prior_training.py",
    "models/test_any_kernel.py",
    "calibration/test_road.py",
    "test_api.py",
    "test_tasks.py",
    "engine/test_interruption.py",
    "test_evaluation.py",
    "engine/test_adversarial.py",
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that in the end no process has to wait for another's."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def two_replicas():
    """The one strategy of that kind in this process, that of `runtime.replicas = 2`, too."""
    return build_strategy(RuntimeConfig(replicas=2), batch_size=2)


@pytest.fixture
def one_device():
    """The strategy that is none."""
    return tf.distribute.get_strategy()


@pytest.fixture(autouse=True)
def fresh_processes_are_forked(monkeypatch):
    """An export is loaded in a process that has imported Keras, too, which saves seconds each.

    `serving/test_fresh_process.py` does without, and so do the programs.
    """
    monkeypatch.setattr(fresh_process, "subprocess", SimpleNamespace(run=programs.run_isolated))


@pytest.fixture(scope="module")
def untraced():
    """Functions run operation by operation, which for a few steps is sooner done than tracing them.

    For tests of what surrounds a training. `make test-all` traces everything, as users do.
    """
    with programs.without_tracing():
        yield


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
def made_once(tmp_path_factory):
    """`made_once(name, make)` is the directory that `make(path)` filled.

    Where several processes share the tests, the first that asks makes it for all. Nobody may
    change it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of each process's own directory

    def made(name, make):
        with held(root / "locks" / name, wait=True):
            if not (root / name).exists():
                make(root / f"{name}-in-the-making")
                (root / f"{name}-in-the-making").rename(root / name)
        return root / name

    return made


@pytest.fixture(scope="session")
def shared_image_folder(made_once):
    """The same, for tests that leave it as it is."""
    return made_once("images", _noise)


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
    config.network.depth = 2
    config.network.discriminator_width = 4
    config.training.batch_size = 4
    config.training.steps = 4
    config.training.steps_per_epoch = 2
    return config


@pytest.fixture
def small_config(image_folder):
    """A run of seconds: 32-pixel patches of `image_folder`, four steps of batch 4."""
    return _small(image_folder)


@pytest.fixture
def bare_config(small_config):
    """The same by one U-Net of a single level, where it does not matter what is trained."""
    small_config.network.depth, small_config.network.denoiser = 1, NONE
    small_config.loss.adversarial_weight = 0.0
    return small_config


@pytest.fixture(scope="session")
def shared_run(shared_image_folder, made_once):
    """The work directory of a run of `small_config`, for tests that leave it as it is."""

    def make(workdir):
        with programs.without_tracing():
            train(_small(shared_image_folder), workdir)

    return made_once("trained", make)


@pytest.fixture(scope="session")
def shared_export(shared_run, made_once):
    """The directory of an export of that run, for tests that leave it as it is."""
    return made_once("exported", lambda output: export_run(shared_run, output))


@pytest.fixture(scope="session")
def undisturbed_run(shared_image_folder, made_once):
    """A deterministic run of `TWELVE_STEPS` of tools/train.py, for tests that leave it as it is."""

    def make(workdir):
        options = "--config.training.deterministic=True", *programs.TWELVE_STEPS
        done = programs.train(workdir, shared_image_folder, *options)
        assert done.returncode == 0, done.stderr

    return made_once("undisturbed", make)


@pytest.fixture
def trained(shared_run, tmp_path):
    """The same, a copy of one's own."""
    return shutil.copytree(shared_run, tmp_path / "trained")
