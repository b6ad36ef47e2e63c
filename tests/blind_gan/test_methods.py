"""What each method is told, and by how much."""

from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
from blind_gan.toys import SIDE, linear_generator, toy_prior

from blind_gan_tf import methods
from blind_gan_tf.config import InversionConfig, SearchConfig
from blind_gan_tf.inversion import invert
from blind_gan_tf.methods import METHODS, Setting, fitted
from blind_gan_tf.mixing import Mixing
from blind_gan_tf.problems import Problem, stacked, unstacked
from inversenet_tf.imaging.baselines.wiener import wiener
from inversenet_tf.imaging.physics.kernels import camera_shake, gaussian, linear_motion
from inversenet_tf.imaging.physics.operators import Blur
from inversenet_tf.imaging.physics.varied import blur_each

SEARCHES = ("pgd", "pgd_known", "naive", "range", "blind")


@pytest.fixture
def setting():
    """Two blurred images, whose methods are to be looked at rather than run."""
    images = np.random.default_rng(0).random((2, 1, SIDE, SIDE, 1)).astype(np.float32)
    blur = Blur(gaussian(5, 1.5))
    problem = Problem(
        measurements=blur(images[:, 0]).numpy(),
        names=["a", "b"],
        group_size=2,
        source="drawn",
        images=images,
        operators=[blur],
    )
    config = InversionConfig(prior="none")
    config.search.random_starts, config.search.identity_starts = 2, 3
    prior = SimpleNamespace(image_shape=(SIDE, SIDE, 1))
    watch = SimpleNamespace(start=None, round=None)
    return Setting(problem, prior, config, watch, outputs={})


@pytest.fixture
def asked(monkeypatch):
    """What a method asks of `invert`, in the place of a search."""
    arguments = {}

    def note(**options):
        arguments.clear()
        arguments.update(options)
        count = len(options["measurements"])
        return SimpleNamespace(images=np.zeros((count, options["sources"], SIDE, SIDE, 1)))

    monkeypatch.setattr(methods, "invert", note)
    return arguments


def test_pgd_is_not_told_the_operator(setting, asked):
    images = setting.problem.images[:, 0]
    METHODS["pgd"](setting)
    np.testing.assert_array_equal(asked["operator"](images), images)
    np.testing.assert_array_equal(asked["measurements"], setting.problem.measurements)
    METHODS["pgd_known"](setting)
    assert asked["operator"] == setting.problem.operators


def test_pgd_compares_signed_measurements_with_the_generators_own_range(setting, asked):
    setting.config.problem.signed = True
    METHODS["pgd"](setting)
    np.testing.assert_allclose(asked["operator"](np.array([0.0, 0.5, 1.0])), [-1, 0, 1])


@pytest.mark.parametrize("signed", [True, False])
def test_the_plain_sum_is_of_the_same_range_as_the_mixing(setting, asked, signed):
    setting.config.problem.mixing.signed = signed
    METHODS["naive"](setting)
    sources = np.random.default_rng(1).random((1, SIDE, SIDE, 3)).astype(np.float32)
    plain = Mixing(np.ones((3, 1)), "none", signed)
    np.testing.assert_allclose(asked["operator"](sources), plain(sources), atol=1e-6)


def test_the_range_is_searched_for_the_true_images_each_by_itself(setting, asked):
    setting.problem.images = np.random.default_rng(2).random((2, 3, SIDE, SIDE, 1))
    images = METHODS["range"](setting)
    truth = setting.problem.images.reshape(6, SIDE, SIDE, 1)
    np.testing.assert_array_equal(asked["measurements"], truth)
    np.testing.assert_array_equal(asked["operator"](truth), truth)
    assert asked["sources"] == 1 and asked["group_size"] == 0
    assert images.shape == setting.problem.images.shape
    np.testing.assert_array_equal(fitted("range", setting.problem), truth)
    assert fitted("pgd", setting.problem) is setting.problem.measurements


def test_every_search_is_the_same(setting, asked):
    for name in SEARCHES:
        METHODS[name](setting)
        assert asked["search"] == setting.config.search and asked["seed"] == setting.config.seed


def test_a_known_operator_has_as_many_starts_as_the_surrogates():
    generator, _ = linear_generator()
    measurements = np.random.default_rng(0).random((2, SIDE, SIDE, 1))
    search = SearchConfig(
        rounds=1,
        surrogate_steps=1,
        latent_steps=1,
        random_starts=2,
        identity_starts=3,
        perceptual_weight=0.0,
    )
    point = Blur(np.ones((1, 1)))
    result = invert(measurements, toy_prior(generator), operator=point, search=search)
    residuals = result.history[0]["residual"]
    assert len(set(residuals)) == search.starts == 5  # each begins elsewhere


@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_wiener_is_told_the_kernel_and_the_noise(setting, sigma):
    setting.config.problem.noise.gaussian_sigma = sigma
    measurements, kernel = setting.problem.measurements, setting.problem.operators[0].kernel
    restored = METHODS["wiener"](setting)[:, 0]
    np.testing.assert_array_equal(restored, wiener(measurements, kernel, sigma))
    assert sigma == 0 or (restored != wiener(measurements, kernel, 0.0)).any()


def test_a_search_may_begin_with_a_kernel_from_a_file(setting, asked, tmp_path):
    kernel = camera_shake(5, seed=1)
    np.save(tmp_path / "kernel.npy", kernel)
    surrogate = setting.config.surrogate
    surrogate.name, surrogate.initial_kernel = "shared_kernel", str(tmp_path / "kernel.npy")
    METHODS["blind"](setting)
    [begin] = asked["surrogate"]
    np.testing.assert_allclose(begin(3).kernel, kernel, rtol=0.02, atol=1e-3)
    surrogate.initial_kernel = ""
    METHODS["blind"](setting)
    [begin] = asked["surrogate"]
    assert (begin(3).kernel != begin(4).kernel).any()
    surrogate.name, surrogate.initial_kernel = "linear_convolution", "kernel.npy"
    with pytest.raises(ValueError, match='"shared_kernel" with surrogate.initial_kernel'):
        setting.config.validate()


def test_the_search_has_the_papers_constants():
    search, surrogate = SearchConfig(), InversionConfig().surrogate
    assert (search.rounds, search.surrogate_steps, search.latent_steps) == (100, 50, 50)
    assert search.surrogate_learning_rate == 4e-3 and search.latent_learning_rate == 3e-4
    assert search.perceptual_weight == 1e-4 and search.schedule == "constant"
    assert (search.starts, search.screening_rounds, search.candidates) == (1, 0, 1)
    assert (surrogate.filters, surrogate.kernel_size, surrogate.units) == (16, 5, 16)
    mixing = InversionConfig().problem.mixing
    assert (mixing.mean, mixing.stddev, mixing.nonlinearity) == (-0.5, 0.5, "abs")


def test_refined_images_begin_with_those_of_the_search_under_its_operators(setting, monkeypatch):
    images = np.random.default_rng(4).random((2, 1, SIDE, SIDE, 1))
    seen = []

    def note(images, measurements, *, operator, config):
        seen.append((operator, config))
        return images + measurements

    monkeypatch.setattr(methods, "refine", note)
    setting.problem.group_size = 1
    setting.outputs["blind"] = SimpleNamespace(images=images, operators=["one", "two"])
    refined = METHODS["blind_refined"](setting)
    np.testing.assert_allclose(refined[:, 0], images[:, 0] + setting.problem.measurements)
    assert seen == [("one", setting.config.refinement), ("two", setting.config.refinement)]


def test_sources_are_stacked_and_unstacked():
    images = np.random.default_rng(5).random((2, 3, 4, 5, 2))
    assert stacked(images).shape == (2, 4, 5, 6)
    np.testing.assert_array_equal(unstacked(stacked(images), 3), images)


def test_a_search_may_begin_with_the_kernel_of_its_own_measurements():
    """Each group of measurements has a kernel of its own, and one is found for it."""
    shared = linear_motion(5, 0.0), linear_motion(5, 90.0)
    scene = skimage.data.astronaut()[:256, 128:384].reshape(4, 64, 4, 64, 3) / 255
    images = scene.transpose(0, 2, 1, 3, 4).reshape(16, 64, 64, 3).astype(np.float32)
    kernels = np.repeat(np.stack(shared), 8, axis=0)
    config = InversionConfig()
    config.surrogate.name, config.surrogate.kernel_size = "shared_kernel", 9
    config.surrogate.initial_kernel = "auto"
    problem = SimpleNamespace(
        measurements=blur_each(images, kernels).numpy(), groups=[slice(0, 8), slice(8, 16)]
    )
    horizontal, vertical = methods.initial_kernels(SimpleNamespace(problem=problem, config=config))
    assert moments(horizontal)[1] > 4 * moments(horizontal)[0]
    assert moments(vertical)[0] > 4 * moments(vertical)[1]


def moments(kernel):
    """The variance of a kernel's mass along the rows and along the columns."""
    places = (np.arange(len(kernel)) - len(kernel) // 2) ** 2
    return kernel.sum(1) @ places, kernel.sum(0) @ places
