import numpy as np
import pytest
import tensorflow as tf

from blind_gan_tf.classifier import lenet, load_classifier, read_digits
from blind_gan_tf.config import MixingConfig
from blind_gan_tf.mixing import Mixing, additive, draw_mixing
from inversenet_tf.imaging.metrics import MetricProfile, intensity_normalised, matched_to_sources


def digits(seed, *shape):
    return np.random.default_rng(seed).uniform(0.1, 0.8, (*shape, 12, 12, 1)).astype(np.float32)


def test_a_mixture_is_the_papers():
    matrix = np.array([[-0.5, 1.0], [0.2, -2.0], [-0.1, 0.3]])
    pixel = np.array([0.0, 1.0, 0.25], np.float32)
    expected = np.abs(matrix.T @ (2 * pixel - 1))
    np.testing.assert_allclose(Mixing(matrix)(pixel.reshape(1, 1, 1, 3))[0, 0, 0], expected, 1e-6)
    linear = Mixing(matrix, "none", signed=False)(pixel.reshape(1, 1, 1, 3))
    np.testing.assert_allclose(linear[0, 0, 0], matrix.T @ pixel, rtol=1e-6)
    plain = additive(2, signed=False)(tf.constant(pixel.reshape(1, 1, 1, 3)))
    np.testing.assert_allclose(plain[0, 0, 0], [1.25, 1.25])


def test_mixing_matrices_follow_their_distribution_and_seed():
    drawn = draw_mixing(MixingConfig(mixtures=500), 40, seed=1).matrix
    assert drawn.shape == (40, 500)
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [-0.5, 0.5], atol=0.02)
    np.testing.assert_array_equal(drawn, draw_mixing(MixingConfig(mixtures=500), 40, 1).matrix)


def test_matching_undoes_order_sign_and_intensity():
    sources = digits(0, 2, 3)
    estimates = np.stack([0.3 * sources[:, 2] + 5, 7 - sources[:, 0], sources[:, 1]], axis=1)
    matched, wanted = matched_to_sources(estimates, sources, MetricProfile())
    np.testing.assert_allclose(wanted, intensity_normalised(sources))
    np.testing.assert_allclose(matched, wanted, atol=1e-5)


def test_matching_picks_among_more_estimates_than_sources():
    sources = digits(1, 1, 2)
    estimates = np.concatenate([digits(2, 1, 2), sources[:, ::-1]], axis=1)
    matched, wanted = matched_to_sources(estimates, sources, MetricProfile())
    np.testing.assert_allclose(matched, wanted, atol=1e-5)


def test_the_assignment_is_the_best_in_sum_and_not_greedy():
    # Four images along a line: both sources at 0 and 1, one estimate between them but nearer to
    # the first, the other beyond the first. The best pair of all, the first estimate and the first
    # source, would leave the worst pair.
    background = np.full((12, 12, 1), 0.5, np.float32)
    background[:3], background[3:5] = 0.0, 1.0  # fix the intensities, and the sign
    direction = np.zeros_like(background)
    direction[5:] = np.random.default_rng(3).choice([-0.1, 0.1], (7, 12, 1))
    first, second, between, beyond = (background + at * direction for at in (0, 1, 0.45, -1.5))
    sources, estimates = np.stack([first, second])[None], np.stack([between, beyond])[None]
    matched, wanted = matched_to_sources(estimates, sources, MetricProfile())
    np.testing.assert_allclose(wanted, sources)
    np.testing.assert_allclose(matched[0], [beyond, between], atol=1e-6)


def test_a_flat_image_is_normalised_without_a_division_by_zero():
    assert np.isfinite(intensity_normalised(np.full((1, 3, 3, 1), 0.4))).all()


def test_the_judge_reads_pytorchs_layout(tmp_path):
    model = lenet()
    arrays = {}
    for layer in (layer for layer in model.layers if layer.weights):
        kernel, bias = layer.get_weights()
        order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        arrays[f"net.{layer.name}.weight"] = kernel.transpose(order)
        arrays[f"net.{layer.name}.bias"] = bias
    np.savez(tmp_path / "classifier.npz", **arrays)
    classifier = load_classifier(tmp_path / "classifier.npz")
    images = np.random.default_rng(0).uniform(size=(4, 32, 32, 1)).astype(np.float32)
    np.testing.assert_allclose(classifier(images), model(images), atol=1e-6)
    classes, probabilities = read_digits(classifier, images)
    np.testing.assert_array_equal(classes, model(images).numpy().argmax(-1))
    assert (probabilities >= 0.1).all()


def test_the_real_judge_reads_real_digits(shared_data):
    from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source

    classifier = load_classifier(shared_data / "weights" / "mnist_lenet_classifier.npz")
    source = open_source(f"idx:{shared_data / 'mnist'}", HELD_OUT, channels=1)
    images = np.stack([np.pad(source.load(i), ((2, 2), (2, 2), (0, 0))) for i in range(500)])
    classes, _ = read_digits(classifier, images)
    assert np.mean(classes == source.labels[:500]) > 0.96


@pytest.mark.parametrize("name", ["none.npz", "bad.npz", "bad.keras"])
def test_a_judge_that_cannot_be_read_is_refused(tmp_path, name):
    if name.startswith("bad"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="classifier"):
        load_classifier(tmp_path / name)
