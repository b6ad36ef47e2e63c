import importlib
import inspect
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from benchmarks import input_pipeline
from PIL import Image

from inversenet_tf.engine.training_loop import TrainStep

NETWORK = {"depth": 2, "discriminator_width": 4}
TINY = {"photographs": 3, "batches": 2, "steps": 2, "network": NETWORK}
SHAPE = (90, 100)
PAUSE = 0.2  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(input_pipeline.write_photographs(tmp_path_factory.mktemp("files") / "own", 5, SHAPE))


def test_every_case_can_be_called():
    comparisons = input_pipeline.comparisons(TINY)
    assert len({comparison.name for comparison in comparisons}) == len(comparisons) == 6
    for case in (case for comparison in comparisons for case in comparison.cases):
        module, function = case.prepare.split(":")
        prepare = getattr(importlib.import_module(module), function)
        inspect.signature(prepare).bind(**case.options)
        assert case.work > 0


def test_of_images_the_time_per_image_is_told():
    consumed, _, waiting, *_ = input_pipeline.comparisons(TINY)
    works = {case.name: case.work for case in consumed.cases}
    steps = {"training step": 64, "step of the pretraining": 64}
    assert works == {"JPEG folder": 32, "PyTorch, DataLoader": 32} | steps
    assert [case.work for case in waiting.cases] == [2, 2, 2]


def test_photographs_are_distinct_and_of_their_size(folder, tmp_path):
    large = input_pipeline.write_photographs(tmp_path / "large", 4, (700, 300))
    for directory, shape in ((folder, SHAPE), (large, (700, 300))):
        images = [Image.open(path) for path in sorted(tf.io.gfile.glob(f"{directory}/*.jpg"))]
        assert {image.size[::-1] for image in images} == {shape}
        assert len({np.asarray(image).tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("recipe", input_pipeline.RECIPES)
@pytest.mark.parametrize("kind", ["folder", "prepared", "cached"])
def test_a_turn_draws_its_batches(folder, tmp_path, recipe, kind):
    config = input_pipeline.config_of(recipe)
    dataset = input_pipeline._pairs(config, folder, kind, tmp_path)
    expected = input_pipeline._pairs(config, folder)
    for batch, other in zip(dataset.take(1), expected, strict=False):
        np.testing.assert_array_equal(batch, other)
        assert batch[0].shape == (input_pipeline.RECIPES[recipe][1], 64, 64, 3)
    assert input_pipeline.stream(recipe, folder, tmp_path, 1, kind)()["cpu_seconds"] > 0


@pytest.mark.parametrize("streamed", [True, False])
def test_a_training_takes_its_steps(folder, streamed, monkeypatch):
    steps = []
    call = TrainStep.__call__
    monkeypatch.setattr(
        TrainStep, "__call__", lambda self, batches: steps.append(call(self, batches))
    )
    assert input_pipeline.training("quickstart", folder, 2, NETWORK, streamed)() is None
    assert len(steps) == 2


def test_a_slow_stream_is_waited_for(monkeypatch):
    """Of two steps that take no time the first is left out, the second waits for its batch."""

    def model_and_stream(*args):
        slow = tf.data.Dataset.range(9).map(lambda n: tf.py_function(_sleep, [n], tf.int64))
        return SimpleNamespace(train_step=lambda number: {"loss": number}), slow

    monkeypatch.setattr(input_pipeline, "_model_and_stream", model_and_stream)
    turn = input_pipeline.waiting("quickstart", "", 2, {})
    turn()  # traces
    assert 0.5 < turn()["waited"] <= 1


def _sleep(number):
    time.sleep(PAUSE)
    return number


def test_a_quick_stream_is_hardly_waited_for(monkeypatch):
    def model_and_stream(*args):
        quick = tf.data.Dataset.range(9)
        slow = SimpleNamespace(train_step=lambda n: {"loss": tf.py_function(_sleep, [n], tf.int64)})
        return slow, quick

    monkeypatch.setattr(input_pipeline, "_model_and_stream", model_and_stream)
    assert 0 <= input_pipeline.waiting("quickstart", "", 2, {})()["waited"] < 0.5


def test_the_baseline_draws_the_same_kinds_of_pairs(folder, monkeypatch):
    torch = pytest.importorskip("torch")
    from pytorch_baselines import input_pipeline as baseline

    monkeypatch.setattr(baseline, "WORKERS", 0)
    torch.manual_seed(0)
    for drawing in input_pipeline.BASELINE.values():
        patches = baseline.Patches(folder, 4, **drawing)
        measurements, images = baseline.PairUp()([patches[index] for index in range(4)])
        assert images.shape == measurements.shape == (4, 3, 64, 64)
        assert float(images.min()) >= 0 and 0.5 < float(images.max()) <= 1
        levels = measurements * baseline.WHITE
        assert float((levels - levels.round()).abs().max()) < 1e-3
        spectrum = np.fft.fft2(images.numpy()) * np.fft.fft2(_centred(baseline.KERNEL))
        blurred = np.fft.ifft2(spectrum).real.clip(0, 1)
        np.testing.assert_allclose(measurements.numpy(), blurred, atol=0.51 / baseline.WHITE)


def _centred(kernel):
    padded = np.zeros((64, 64))
    padded[:9, :9] = kernel
    return np.roll(padded, (-4, -4), (0, 1))
