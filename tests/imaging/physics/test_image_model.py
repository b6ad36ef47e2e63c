"""Kernels of images of a class, found with what sharp images of the class look like."""

import numpy as np
import pytest
import scipy.fft
import scipy.stats

from inversenet_tf.imaging.physics import image_model_search, kernel_screening
from inversenet_tf.imaging.physics.class_likelihood import Observed, cost_and_gradient
from inversenet_tf.imaging.physics.image_model import ImageModel
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.varied import blur_each

KERNEL = linear_motion(7, 45.0)
SIDE = 32


@pytest.fixture(autouse=True)
def few_paths(monkeypatch):
    """They are enough for kernels this small."""
    monkeypatch.setattr(kernel_screening, "DRAWN", 400)
    monkeypatch.setattr(kernel_screening, "PARENTS", 20)
    monkeypatch.setattr(image_model_search, "PATHS", (4, 2))


def members_of_class(count, side=SIDE, channels=3, seed=0):
    """Images whose bumps stand at the same places, each time of other heights and colours."""
    places = np.random.default_rng(7).uniform(0, side, (12, 2))
    rows, columns = np.mgrid[:side, :side]
    bumps = np.exp(
        -((rows - places[:, :1, np.newaxis]) ** 2 + (columns - places[:, 1:, np.newaxis]) ** 2) / 3
    )
    rng = np.random.default_rng(seed)
    heights = 0.4 + 0.15 * rng.normal(size=(count, 12, channels))
    texture = 0.004 * rng.normal(size=(count, side, side, channels))
    return np.einsum("nbc,bhw->nhwc", heights, bumps) / 2 + 0.2 + texture


def measured(images, kernel=KERNEL, noise=0.005):
    kernels = np.repeat(kernel[np.newaxis], len(images), axis=0)
    blurred = blur_each(images.astype(np.float32), kernels, "circular").numpy()
    return blurred + noise * np.random.default_rng(1).normal(size=blurred.shape)


@pytest.fixture(scope="module")
def model():
    return ImageModel.fit(members_of_class(300))


def correlation(kernel, truth):
    """Normalised, without any shift."""
    side = max(len(kernel), len(truth))
    a, b = (np.pad(k, (side - len(k)) // 2) for k in (kernel, truth))
    return (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)


def test_cost_is_that_of_the_dense_gaussian():
    side, noise = 8, 0.05
    images = members_of_class(40, side, channels=1)
    small = ImageModel.fit(images)
    (colour,) = small.colours
    blur = np.stack(
        [blur_each(unit[np.newaxis, ..., np.newaxis], KERNEL[np.newaxis])[0].numpy().ravel()
         for unit in np.eye(side**2, dtype=np.float32).reshape(-1, side, side)],
        axis=1,
    )  # fmt: skip
    components = scipy.fft.irfft2(colour.components, (side, side)).reshape(-1, side**2) * side
    filtered = scipy.fft.irfft2(
        colour.power * scipy.fft.rfft2(np.eye(side**2).reshape(-1, side, side)), (side, side)
    )
    covariance = components.T @ components + filtered.reshape(side**2, side**2)
    covariance = blur @ covariance @ blur.T + noise**2 * np.eye(side**2)
    mean = blur @ scipy.fft.irfft2(colour.mean, (side, side)).ravel() * side
    measurements = measured(images[:2], noise=noise)
    values = measurements.reshape(2, -1) * small.rotation[0, 0]
    expected = -2 * scipy.stats.multivariate_normal(mean, covariance).logpdf(values).sum()
    constant = values.size * np.log(2 * np.pi)
    cost, _ = cost_and_gradient(Observed.of(small, measurements, noise), KERNEL)
    assert cost == pytest.approx(expected - constant, rel=1e-4)


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_gradient_is_that_of_finite_differences(model, fraction):
    observed = Observed.of(model, measured(members_of_class(2, seed=5)), 0.02, fraction)
    rng = np.random.default_rng(0)
    kernel = rng.uniform(0.5, 1.0, (5, 5)) / 25
    direction = 1e-3 * rng.normal(size=(5, 5))
    _, gradient = cost_and_gradient(observed, kernel)
    ahead, behind = (cost_and_gradient(observed, kernel + d)[0] for d in (direction, -direction))
    assert (gradient * direction).sum() == pytest.approx((ahead - behind) / 2, rel=0.02)


def test_components_that_are_left_out_count_without_a_direction(model):
    image = measured(members_of_class(1, seed=5))
    every, few = (Observed.of(model, image, 0.02, 0.6, most).prior for most in (None, (3, 2)))
    assert [factors.shape[1] for factors in few.factors] == [3, 2, 2]
    for colour in range(3):
        power = [
            prior.powers[colour] * prior.weights
            + np.square(prior.factors[colour]).sum(axis=1).reshape(2, -1).sum(axis=0)
            for prior in (every, few)
        ]
        np.testing.assert_allclose(*power, rtol=1e-4)


def test_finds_kernel_and_shift_of_one_small_image(model):
    shifted = np.roll(np.pad(KERNEL, 2), 2, axis=1)
    image = measured(members_of_class(1, seed=9), shifted)[0]
    estimate = estimate_kernel(image, "circular", image_model=model, largest=15)
    assert estimate.is_blur and estimate.kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert correlation(estimate.kernel, shifted) > 0.85
    assert correlation(estimate.kernel, np.pad(KERNEL, 2)) < 0.5


def test_of_several_searches_the_likeliest_kernel_is_kept(model, monkeypatch):
    """A proposal at another place is moved to where the class says that it is."""
    monkeypatch.setattr(kernel_screening, "DRAWN", 2)  # and so the search finds little
    monkeypatch.setattr(kernel_screening, "SCALES", ())
    monkeypatch.setattr(image_model_search, "STEPS", 0)
    monkeypatch.setattr(image_model_search, "LAST_STEPS", 1)
    shifted = np.roll(np.pad(KERNEL, 2), 1, axis=1)
    images = measured(members_of_class(2, seed=9), shifted)
    alone, less, *_ = image_model_search.search_with_model(model, images, 0.006, 11)
    kept, more, *_ = image_model_search.search_with_model(
        model, images, 0.006, 11, proposals=[np.flip(KERNEL, axis=0), KERNEL]
    )
    assert more > less and correlation(alone, shifted) < 0.9
    assert correlation(kept, shifted) > 0.98


@pytest.mark.parametrize(
    ("costs", "least", "most"),
    [((0, 500), 0.99, 1.0), ((0, 0), 0.49, 0.51), ((20, 0), 0.1, 0.4)],
    ids=["no other answer", "as likely", "less likely"],
)
def test_an_answer_weighs_less_beside_others_that_are_as_likely(costs, least, most):
    other = np.flip(KERNEL, axis=0)
    answers = [(KERNEL, costs[0]), (KERNEL, costs[0] + 1), (other, costs[1])]
    kernel = np.roll(np.pad(KERNEL, 2), 1, axis=0)  # a shift makes it no other answer
    assert least <= image_model_search._weight_of(kernel, answers) <= most


def test_a_single_image_is_never_trusted_fully(model):
    [image] = measured(members_of_class(1, seed=9))
    *_, agreement, share = image_model_search.search_with_model(model, image[np.newaxis], 0.006, 11)
    assert agreement > 0.7 and 0.5 < share <= image_model_search.MOST_TRUSTED


def test_a_sharp_image_of_the_class_keeps_its_point(model):
    image = measured(members_of_class(1, seed=9), np.ones((1, 1), np.float32))[0]
    estimate = estimate_kernel(image, "circular", image_model=model, largest=9)
    assert not estimate.is_blur and estimate.confidence == 0.0


def test_model_has_the_moments_of_the_images(model):
    images = members_of_class(300)
    rotated = images @ model.rotation.T
    for index, colour in enumerate(model.colours):
        mean = scipy.fft.irfft2(colour.mean, (SIDE, SIDE)) * SIDE
        np.testing.assert_allclose(mean, rotated[..., index].mean(0), atol=1e-4)
        components = scipy.fft.irfft2(colour.components, (SIDE, SIDE)) * SIDE
        left = scipy.fft.irfft2(colour.power, (SIDE, SIDE))[0, 0]
        variance = np.square(components).sum() / SIDE**2 + left
        assert variance == pytest.approx(rotated[..., index].var(0).mean(), rel=0.05)


def test_details_that_enlarged_images_lack_are_expected_all_the_same():
    small = np.random.default_rng(0).uniform(size=(40, 16, 16, 1))
    spectra = np.pad(scipy.fft.fftshift(scipy.fft.fft2(small, axes=(1, 2)), (1, 2)),
                     ((0, 0), (8, 8), (8, 8), (0, 0)))  # fmt: skip
    enlarged = scipy.fft.ifft2(scipy.fft.ifftshift(spectra, (1, 2)), axes=(1, 2)).real * 4
    (colour,) = ImageModel.fit(np.clip(enlarged, 0, 1)).colours
    middle, highest = colour.power[0, 6], colour.power[16, 16]
    assert middle / 50 < highest < middle


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 32, 32, 3)), "at least 20"),
        (np.zeros((20, 4, 32, 3)), "at least 8 pixels a side"),
        ([np.zeros((32, 32))] * 20 + [np.zeros((32, 34))], "one size"),
    ],
)
def test_images_that_make_no_model_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        ImageModel.fit(images)


@pytest.mark.parametrize(
    ("shape", "boundary", "message"),
    [
        ((32, 32, 3), "camera", "circular"),
        ((48, 32, 3), "circular", "shape"),
        ((48, 32), "circular", r"Received: \[\(48, 32, 3\)\]"),  # gray counts as three colours
    ],
)
def test_measurements_that_the_model_does_not_frame_are_refused(model, shape, boundary, message):
    with pytest.raises(ValueError, match=message):
        estimate_kernel(np.full(shape, 0.5), boundary, image_model=model)
