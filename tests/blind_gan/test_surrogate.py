import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf.config import SURROGATES, SurrogateConfig
from blind_gan_tf.figures import operator_figure
from blind_gan_tf.forward import FixedOperator, SurrogateBank
from blind_gan_tf.operator_report import (
    distance,
    distance_on_images,
    least_error,
    measurements_needed,
    receptive_field,
    responses,
    told_beyond,
    warnings_of,
)
from blind_gan_tf.shared_kernel import SharedKernel, placed
from blind_gan_tf.surrogate import (
    LinearConvolution,
    MixingNetwork,
    ReLUConvolution,
    build_surrogate,
)
from inversenet_tf.imaging.physics.kernels import camera_shake, gaussian
from inversenet_tf.imaging.physics.operators import Blur


def test_the_papers_surrogates_have_its_weights():
    convolution = LinearConvolution()
    shapes = [tuple(v.shape) for v in convolution.trainable_variables]
    assert shapes == [(5, 5, 3, 16), (5, 5, 16, 3)]
    assert MixingNetwork(3, 4).count_params() == 3 * 16 + 16 + 16 * 4 + 4


def test_the_kernel_of_a_convolution_is_what_it_answers_to_one_pixel():
    model = LinearConvolution(2, 3, filters=4, kernel_size=3)
    answers = responses(model, channels=2, side=9)[:, 2:7, 2:7]  # [2, 5, 5, 3]
    np.testing.assert_allclose(np.moveaxis(answers, 0, 2), model.kernel, atol=1e-6)


def test_a_relu_between_the_convolutions_makes_them_another_function(images):
    rectified, linear = ReLUConvolution(seed=1), LinearConvolution(seed=1)
    rectified.set_weights(linear.get_weights())
    first, second = linear.get_weights()
    inner = np.maximum(linear.get_layer("first")(images), 0)
    expected = rectified.get_layer("second")(inner)
    middle = slice(8, -8)  # where no padding is seen
    np.testing.assert_allclose(
        rectified(images)[:, middle, middle], expected[:, 4:-4, 4:-4], atol=1e-5
    )
    assert np.abs(rectified(images) - linear(images)).max() > 1e-3


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("size", [7, 9])
def test_a_shared_kernel_is_a_blur_of_it(boundary, size, images):
    kernel = camera_shake(7, seed=1)
    model = SharedKernel(3, size, boundary=boundary, initial_kernel=kernel)
    assert model.kernel.shape == (size, size) and model.output_shape == (None, None, None, 3)
    np.testing.assert_allclose(model.kernel.sum(), 1.0, rtol=1e-5)
    assert model.kernel.min() > 0  # a weight of zero would stay there
    np.testing.assert_allclose(model.kernel, placed(kernel, size), rtol=0.01, atol=1e-3)
    expected = Blur(model.kernel, boundary)(images)
    np.testing.assert_allclose(model(images), expected, atol=1e-5)


def test_a_shared_kernel_stays_a_kernel_whatever_its_weights(images):
    model = SharedKernel(3, 5, seed=2)
    nearly_flat = model.kernel
    np.testing.assert_allclose(nearly_flat, 1 / 25, atol=0.03)
    model.set_weights([np.random.default_rng(0).normal(size=(5, 5))])
    assert model.kernel.min() >= 0 and model.kernel.sum() == pytest.approx(1.0)
    assert model.count_params() == 25


@pytest.mark.parametrize(("side", "size"), [(3, 5), (4, 5), (5, 3), (4, 3), (3, 3)])
def test_a_given_kernel_keeps_its_centre(side, size):
    kernel = np.zeros((side, side))
    kernel[side // 2, side // 2], kernel[side // 2 - 1, side // 2] = 3.0, 1.0
    expected = np.zeros((size, size))
    expected[size // 2, size // 2], expected[size // 2 - 1, size // 2] = 0.75, 0.25
    np.testing.assert_allclose(placed(kernel, size), expected)


@pytest.mark.parametrize("kernel", [np.zeros((3, 3)), -np.ones((3, 3)), np.ones((3, 3, 3))])
def test_what_is_no_kernel_cannot_be_begun_with(kernel):
    with pytest.raises(ValueError, match="Expected"):
        SharedKernel(3, 5, initial_kernel=kernel)


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
def test_the_convolution_is_linear_and_keeps_the_size(boundary, images):
    model = LinearConvolution(boundary=boundary)
    outputs = model(images)
    assert outputs.shape == images.shape
    np.testing.assert_allclose(model(3.0 * images), 3.0 * outputs, rtol=1e-4, atol=1e-5)


def test_a_circular_convolution_commutes_with_shifts(images):
    model = LinearConvolution()
    shifted = model(tf.roll(images, (3, -5), (1, 2)))
    np.testing.assert_allclose(shifted, tf.roll(model(images), (3, -5), (1, 2)), atol=1e-5)


def test_the_mixing_network_looks_at_one_pixel_only():
    model = MixingNetwork(3, 2, seed=1)
    assert receptive_field(model, 9) == (1, 1)
    first, first_bias, second, second_bias = model.get_weights()
    pixel = np.array([0.2, 0.9, 0.5], np.float32)
    expected = np.maximum(pixel @ first + first_bias, 0) @ second + second_bias
    np.testing.assert_allclose(model(pixel.reshape(1, 1, 1, 3))[0, 0, 0], expected, rtol=1e-5)


def test_surrogates_survive_a_file_and_differ_by_seed(tmp_path, images):
    for name in SURROGATES:
        config = SurrogateConfig(name=name)
        build = functools.partial(build_surrogate, config, image_channels=3, channels=3)
        model = build(seed=5)
        model.save(tmp_path / "surrogate.keras")
        loaded = keras.models.load_model(tmp_path / "surrogate.keras")
        np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)
        np.testing.assert_array_equal(build(seed=5)(images), model(images))
        assert (build(seed=6)(images) != model(images)).numpy().any()


def test_a_bank_applies_each_surrogate_to_its_own_images(images):
    models = [LinearConvolution(filters=4, seed=seed) for seed in range(4)]
    bank = SurrogateBank(models, starts=2)
    batch = tf.stack([images * scale for scale in (1.0, 0.5, 0.2, 0.1)])
    outputs = bank(batch)
    for index, model in enumerate(models):
        np.testing.assert_allclose(outputs[index], model(batch[index]), atol=1e-5)
    np.testing.assert_allclose(bank.model(1, 0)(images), models[2](images), atol=1e-6)
    kept = bank.kept(np.array([[1], [0]]))
    assert kept.variables[0].shape[0] == 2
    np.testing.assert_allclose(kept.model(0, 0)(images), models[1](images), atol=1e-6)


def test_known_operators_serve_their_groups():
    fixed = FixedOperator([lambda x: 2 * x, lambda x: 3 * x])
    outputs = fixed(tf.ones((4, 1, 2, 2, 1)))  # two groups of two starts
    np.testing.assert_array_equal(outputs[:, 0, 0, 0, 0], [2, 2, 3, 3])
    assert fixed.model(1, 0)(5) == 15


def test_even_kernels_are_refused():
    for surrogate in (LinearConvolution, SharedKernel):
        with pytest.raises(ValueError, match="odd kernel_size"):
            surrogate(kernel_size=4)


@pytest.mark.parametrize(("size", "field"), [(5, 9), (3, 5), (1, 1)])
def test_the_receptive_field_is_that_of_both_kernels(size, field):
    assert receptive_field(LinearConvolution(kernel_size=size), 32) == (field, field)


def test_responses_are_the_kernel():
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3)
    answers = responses(Blur(kernel), channels=2, side=8)
    assert answers.shape == (2, 8, 8, 2)
    np.testing.assert_allclose(answers[1, 3:6, 3:6, 1], kernel, atol=1e-6)
    np.testing.assert_array_equal(answers[1, ..., 0], 0)


def test_distances_between_operators():
    truth = np.random.default_rng(0).normal(size=(1, 8, 8, 1))
    assert distance(truth, truth)["relative_error"] == 0
    half = distance(0.5 * truth, truth)
    assert half["relative_error"] == pytest.approx(0.5)
    assert half["correlation"] == pytest.approx(1.0)
    kernel = np.zeros((1, 9, 9, 1))
    kernel[0, 4, 4], kernel[0, 4, 7] = 3.0, 4.0
    assert least_error(kernel, (3, 3)) == pytest.approx(0.8)
    assert least_error(kernel, (7, 7)) == 0


def test_operators_that_differ_where_images_have_nothing_are_close_on_images():
    smooth = np.cos(2 * np.pi * np.arange(16) / 16).astype(np.float32)
    images = np.tile(0.5 + 0.5 * smooth[None, :, None, None], (2, 1, 16, 1))
    kernel = np.zeros((3, 3), np.float32)
    kernel[1, 1] = 1.0
    checked = kernel.copy()
    checked[1, :2] += [0.5, -0.5]  # along the rows these images do not change
    apart = distance(responses(Blur(checked), 1, 16), responses(Blur(kernel), 1, 16))
    close = distance_on_images(Blur(checked), Blur(kernel), images)
    assert apart["relative_error"] > 0.5
    assert close["relative_error_on_images"] < 1e-5
    assert close["correlation_on_images"] == pytest.approx(1.0)


def test_a_measurement_of_another_mean_alone_is_at_no_distance(images):
    """Brightness is nearly all of a photograph's energy: it would make every operator correlate."""
    blur = Blur(camera_shake(5))
    brighter = distance_on_images(lambda x: blur(x) + 0.3, blur, images)
    assert brighter["relative_error_on_images"] < 1e-5
    other = distance_on_images(lambda x: 0.5 + 0.1 * blur(x[:, ::-1]), blur, images)
    assert other["correlation_on_images"] < 0.9


def test_a_surrogate_that_cannot_hold_the_operator_is_told(images):
    sharp = np.random.default_rng(0).uniform(size=(6, 32, 32, 1)).astype(np.float32)
    narrow = LinearConvolution(1, 1, filters=1, kernel_size=1)
    narrow.set_weights([np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 0.2)])
    measured = Blur(gaussian(7, 2.0))(sharp).numpy()
    estimates = narrow(sharp).numpy()
    assert told_beyond(narrow, sharp, measured, estimates) > 0.5
    [warning] = warnings_of(narrow, sharp, measured, estimates)
    assert "receptive field of 1x1" in warning
    own = narrow(sharp).numpy() + 0.01 * np.random.default_rng(1).normal(size=estimates.shape)
    assert told_beyond(narrow, sharp, own, estimates) < 0.05
    assert warnings_of(narrow, sharp, own, estimates) == []


def test_a_surrogate_that_measures_nothing_is_told(images, tmp_path):
    dead = LinearConvolution(1, 1, filters=1, kernel_size=1)
    dead.set_weights([np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1, 1))])
    images = images.numpy()[..., :1]
    estimates = dead(images).numpy()
    assert told_beyond(dead, images, images, estimates) == 0.0
    [warning] = warnings_of(dead, images, images, estimates)
    assert "gives the same measurement for every image" in warning
    operator_figure(tmp_path / "operator.png", responses(dead, 1, 9), None, "dead")
    assert (tmp_path / "operator.png").is_file()


def test_few_measurements_for_many_weights_are_told(images):
    surrogate = LinearConvolution()
    assert measurements_needed(surrogate) == 24  # of the paper's 25
    images = images.numpy()
    warnings = warnings_of(surrogate, images, images, images)
    assert "at least 24 measurements" in warnings[0] and "Received: 2" in warnings[0]
