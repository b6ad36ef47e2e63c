"""One network for every blur: told the kernel and the noise in training, use and serving."""

import numpy as np
import programs
import pytest
import tensorflow as tf
from PIL import Image

from inversenet_tf import recipes
from inversenet_tf.evaluation import evaluate
from inversenet_tf.exporting.inversenet import export_run
from inversenet_tf.imaging.config import NoiseConfig
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.data.pairs import training_pairs
from inversenet_tf.imaging.physics.kernels import gaussian, linear_motion
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.varied import VariedBlur
from inversenet_tf.loading import load
from inversenet_tf.training import train

pytestmark = pytest.mark.usefixtures("untraced")


def tiny():
    config = recipes.any_blur()
    config.operator.kernel_size, config.data.size, config.network.depth = 9, 32, 2
    config.data.validation_limit = 2
    config.training.steps = config.training.steps_per_epoch = 2
    config.training.batch_size, config.training.precision = 2, "float32"
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("any_blur")
    train(tiny(), workdir)
    return workdir


def scene(height=48, width=56):
    rows, columns = np.mgrid[:height, :width]
    image = 0.5 + 0.2 * np.sin(rows / 3.0) * np.cos(columns / 4.0) + 0.2 * (rows > columns)
    return np.repeat(image[None, ..., None], 3, axis=-1).astype(np.float32)


def test_a_resumed_stream_draws_the_same_kernels_and_noise(photos_source):
    config = tiny()

    def stream(start):
        return training_pairs(
            *(photos_source, VariedBlur(9), config.noise, config.data),
            batch_size=2,
            seed=3,
            start=start,
        ).as_numpy_iterator()

    whole, resumed = stream(0), stream(1)
    next(whole)
    (inputs, images), (again, images_again) = next(whole), next(resumed)
    np.testing.assert_array_equal(images, images_again)
    for name, values in inputs.items():
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(*inputs["kernels"])


@pytest.fixture
def photos_source():
    return open_source("photos", TRAINING, 3, 32)


def test_it_restores_better_with_the_kernel_of_the_blur_than_with_another(run):
    restorer, image = load(run), scene()
    kernel = linear_motion(9, 20)
    measurement = Blur(kernel)(image).numpy()

    def error(*told):
        return np.mean((restorer(measurement, *told) - image) ** 2)

    assert error(kernel) < 0.2 * np.mean((measurement - image) ** 2)
    assert error(kernel) < 0.2 * error(gaussian(9, 2.0))
    assert error(kernel) < error(kernel, 0.1)  # more noise assumed, more is smoothed


def test_it_asks_for_the_kernel(run):
    with pytest.raises(ValueError, match="^Expected the kernel of the blur.* Received: none$"):
        load(run)(scene())
    with pytest.raises(ValueError, match="if the noise is given"):
        load(run)(scene(), noise=0.1)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (-np.ones((3, 3)), "least value -1"),
        (np.zeros((3, 3)), "positive sum"),
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((99, 99)), "no larger than the image"),
    ],
)
def test_a_kernel_that_is_none_is_refused(run, kernel, message):
    with pytest.raises(ValueError, match=message):
        load(run)(scene(), kernel)


def test_a_kernel_need_not_sum_to_one_nor_be_odd(run):
    restorer, measurement = load(run), scene()
    kernel = gaussian(8, 1.5)
    np.testing.assert_allclose(
        restorer(measurement, 7.0 * kernel), restorer(measurement, kernel), atol=1e-5
    )


def test_an_export_gives_the_same_and_is_verified(run, tmp_path, monkeypatch):
    monkeypatch.setattr("inversenet_tf.exporting.verification.SIZES", ((37, 53), (64, 64)))
    version = export_run(run, tmp_path / "served", verify=True)
    kernel, measurement = linear_motion(7, 80), scene()
    expected = load(run)(measurement, kernel, 0.02)
    exported = load(version)
    np.testing.assert_allclose(exported(measurement, kernel, 0.02), expected, atol=1e-5)
    with pytest.raises(ValueError, match="Expected the kernel of the blur"):
        exported(measurement)
    signatures = tf.saved_model.load(str(version)).signatures
    assert set(signatures) == {
        "describe",
        "serving_default",
        "restore_with_kernel",
        "restore_bytes_with_kernel",
    }


def test_evaluation_tells_each_method_what_it_measured(run):
    result = evaluate(run)
    assert set(result["methods"]) == {"degraded", "lmmse", "restored"}
    scores = {name: method["psnr"] for name, method in result["methods"].items()}
    assert scores["lmmse"] > scores["degraded"]
    written = (run / "results.json").read_bytes()
    of_one = evaluate(run, operator=Blur(linear_motion(9, 45)), noise=NoiseConfig())
    assert {"wiener", "lmmse", "restored"} <= set(of_one["methods"])
    assert (run / "results.json").read_bytes() == written


def test_the_command_takes_a_kernel_file(run, tmp_path):
    Image.fromarray(np.uint8(255 * scene()[0])).save(tmp_path / "blurred.png")
    np.save(tmp_path / "kernel.npy", linear_motion(9, 20))
    arguments = [f"--workdir={run}", f"--input={tmp_path / 'blurred.png'}", "--boundary=reflect"]
    done = programs.run("restore", *arguments, f"--output={tmp_path / 'out'}")
    assert done.returncode != 0 and "--kernel" in done.stderr
    done = programs.run(
        "restore", *arguments, f"--output={tmp_path / 'out'}", f"--kernel={tmp_path}/kernel.npy"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "blurred.png").is_file()


@pytest.mark.parametrize(
    ("field", "value"), [("inverter", "unet"), ("kernel_size", 8), ("name", "joint")]
)
def test_a_config_that_cannot_be_told_is_refused(field, value):
    config = tiny()
    section = config.network if field == "inverter" else config.operator
    setattr(section, field, value)
    with pytest.raises(ValueError, match="varied"):
        config.validate()
