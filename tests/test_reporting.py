"""No image that is reported has chosen anything: neither a checkpoint nor a baseline's constant."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from inversenet_tf import recipes
from inversenet_tf.baselines import baseline
from inversenet_tf.chosen_constants import CONSTANTS_FILE, choose_constants, constants_of
from inversenet_tf.config import Config
from inversenet_tf.data import example_batch, open_data, spectrum_of, with_own_test_images
from inversenet_tf.engine.workdir import read_config
from inversenet_tf.evaluation import evaluate
from inversenet_tf.imaging.baselines.lmmse import TRIED
from inversenet_tf.imaging.baselines.wiener import best_balance, default_balance, wiener
from inversenet_tf.imaging.data.datasets import TRAINING, open_source
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.imaging.physics.kernels import linear_motion
from inversenet_tf.imaging.physics.noise import round_to_8_bits
from inversenet_tf.imaging.physics.operators import Blur, build_operator
from inversenet_tf.imaging.physics.spectra import KNEE, Spectrum, fit_spectrum
from inversenet_tf.models.presets import kept_spectrum
from inversenet_tf.reporting import own_results, reported
from inversenet_tf.training import train

pytestmark = pytest.mark.usefixtures("untraced")


@pytest.fixture
def other_images(tmp_path):
    """Three images that no training knows, as a source."""
    folder = tmp_path / "others"
    folder.mkdir()
    for index, pixels in enumerate(np.random.default_rng(5).integers(0, 256, (3, 40, 40, 3))):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return f"folder:{folder}"


def with_test_images(workdir, spec):
    """The run, as if it had been trained with these test images."""
    kept = json.loads((workdir / "config.json").read_text())
    kept["data"]["test"] = spec
    (workdir / "config.json").write_text(json.dumps(kept))
    return workdir


def test_the_best_checkpoint_is_reported_on_test_images(trained, other_images):
    results = evaluate(with_test_images(trained, other_images))
    assert results["data"]["source"] == other_images and results["data"]["role"] == "test"
    assert results["checkpoint"]["which"] == "best"
    assert results["checkpoint"]["chosen_by"].startswith("PSNR on the validation images")
    assert results["number_of_images"] == 3 and (trained / "results.json").is_file()
    assert "(test); weights of step" in str(results)
    assert own_results(trained, results["checkpoint"]["step"]) == results


def test_the_last_one_is_reported_where_validation_is_all_there_is(trained):
    results = evaluate(trained)
    assert results["data"]["role"] == "validation"
    assert results["checkpoint"]["which"] == "last" and results["checkpoint"]["step"] == 4
    assert "chosen by nothing: they are those of the last step" in str(results)
    asked = evaluate(trained, which="best")["checkpoint"]["chosen_by"]
    assert asked.endswith("the images that are reported")


@pytest.mark.parametrize(
    ("test", "data", "which", "expected"),
    [
        ("", None, None, ("validation", "last")),
        ("photos@held_out", None, None, ("test", "best")),
        ("photos@held_out", "photos@held_out", "last", ("test", "last")),
        ("photos@held_out", "own", None, ("validation", "last")),
        ("", "photos@held_out", None, ("other", "best")),
    ],
)
def test_the_rule(trained, test, data, which, expected):
    config = read_config(with_test_images(trained, test), Config)
    data = config.data.validation if data == "own" else data
    what = reported(trained, config, data, which)
    assert (what.role, what.which) == expected


def test_a_run_that_has_the_best_checkpoint_alone_is_reported_with_it(trained):
    shutil.rmtree(trained / "checkpoints" / "last")
    assert evaluate(trained)["checkpoint"]["which"] == "best"


def test_test_images_that_train_or_choose_are_refused(small_config, other_images, tmp_path):
    small_config.data.test = small_config.data.validation
    with pytest.raises(ValueError, match="data.test to name images used neither to train"):
        small_config.validate()
    small_config.data.test = small_config.data.validation + "/."  # the same, spelled otherwise
    with pytest.raises(ValueError, match="data.test to name images used neither to train"):
        open_data(small_config)
    small_config.data.test = f"folder:{tmp_path / 'nowhere'}"
    with pytest.raises(ValueError, match="nowhere"):
        open_data(small_config)
    small_config.data.test = other_images
    open_data(small_config)


def test_test_images_among_the_others_are_told_of(small_config, image_folder, tmp_path, warned):
    (tmp_path / "test").mkdir()
    shutil.copy(image_folder / "0.png", tmp_path / "test")
    small_config.data.test = f"folder:{tmp_path / 'test'}"
    open_data(small_config)
    assert "1 of the 1 test images are among the training images" in warned()
    assert "1 of the 1 test images are among the validation images" in warned()


def test_the_test_part_of_a_data_set_does_not_go_with_images_of_ones_own(small_config):
    small_config.data.test = "tfds:celeb_a@test"
    assert with_own_test_images(small_config).data.test == ""
    assert small_config.data.test == "tfds:celeb_a@test"
    small_config.data.validation = "tfds:celeb_a@validation"
    assert with_own_test_images(small_config) is small_config


def test_other_test_images_do_not_make_another_experiment(trained, other_images):
    """Nothing is learned from them; the run keeps the new ones."""
    config = read_config(trained, Config)
    config.data.test = other_images
    train(config, trained)
    assert read_config(trained, Config).data.test == other_images


def photographs():
    """A config whose held-out images are others than those that it trains on."""
    config = Config()
    config.data.train = config.data.validation = "photos"
    config.data.evaluation_crop = "center"
    return config


def test_the_balance_is_the_best_one_for_the_images_it_is_chosen_on(images):
    kernel = linear_motion(5)
    images = images.numpy()
    measurements = round_to_8_bits(Blur(kernel)(images)).numpy()

    def score(balance):
        restored = wiener(measurements, kernel, balance=balance)
        return np.mean(psnr(restored, images, MetricProfile()))

    best = best_balance([(measurements, images)], kernel)
    assert score(best) > score(default_balance()) + 0.1
    assert score(best) >= max(score(best * 10 ** (1 / 3)), score(best / 10 ** (1 / 3)))


def test_the_constant_of_a_run_is_that_of_its_training_images(trained):
    config = read_config(trained, Config)
    operator = build_operator(config.operator)
    source = open_source(config.data.train, TRAINING, 3)
    measurements, truths = example_batch(source, operator, config)
    kept = json.loads((trained / CONSTANTS_FILE).read_text())
    assert kept["wiener"]["balance"] == best_balance([(measurements, truths)], operator.kernel)
    assert kept["wiener"]["chosen_on"].startswith("6 training images of folder:")
    results = evaluate(trained)
    assert results["baselines"] == kept
    expected = wiener(measurements, operator.kernel, balance=kept["wiener"]["balance"])
    score = np.mean(psnr(expected, truths, config.metrics))
    assert results["methods"]["wiener"]["psnr"] == pytest.approx(score, abs=1e-3)


def test_another_operator_or_noise_has_a_constant_of_its_own():
    config = photographs()
    operator = build_operator(config.operator)
    clean = constants_of(None, config, operator)["wiener"]
    assert "5 training images of photos@training" in clean["chosen_on"]
    config.noise.gaussian_sigma = 0.03
    noisy = constants_of(None, config, operator)["wiener"]
    assert noisy["balance"] > 30 * clean["balance"]
    both = constants_of(None, config, operator, names=("wiener", "wiener_mismatched"))
    assert both["wiener_mismatched"]["balance"] > both["wiener"]["balance"]
    config.operator.name = "identity"
    assert constants_of(None, config, build_operator(config.operator)) == {}


def test_the_noise_factor_is_the_best_one_for_the_images_it_is_chosen_on(trained):
    config, spectrum = read_config(trained, Config), kept_spectrum(trained)
    operator = build_operator(config.operator)
    source = open_source(config.data.train, TRAINING, 3)
    measurements, truths = example_batch(source, operator, config)
    kept = json.loads((trained / CONSTANTS_FILE).read_text())

    def score(factor):
        constants = {"lmmse": {"noise_factor": factor}}
        restored = baseline("lmmse", operator, config, constants, spectrum)(measurements)
        return np.mean(psnr(restored["lmmse"], truths, config.metrics))

    assert kept["lmmse"]["noise_factor"] == max(TRIED, key=score)
    assert kept["lmmse"]["chosen_on"] == kept["wiener"]["chosen_on"]


def test_of_photographs_to_be_enlarged_a_noise_factor_is_chosen_too():
    """Their sides need not be multiples of the scale."""
    config = recipes.super_resolution_solver()
    operator = build_operator(config.operator)
    (constants,) = constants_of(None, config, operator).items()
    assert constants[0] == "lmmse" and constants[1]["noise_factor"] in TRIED


def test_a_run_that_keeps_the_constant_of_the_wiener_filter_alone_is_evaluated(trained, tmp_path):
    older = shutil.copytree(trained, tmp_path / "older")
    kept = json.loads((older / CONSTANTS_FILE).read_text())
    expected = kept | {}
    del kept["lmmse"]
    (older / CONSTANTS_FILE).write_text(json.dumps(kept))
    assert evaluate(older)["baselines"] == expected


def test_the_spectrum_is_that_of_crops_as_they_are_scaled_down_for_training():
    config = photographs()
    source = open_source("photos", TRAINING, 3)
    config.data.crop, config.data.crop_fraction = "random", 1.0
    whole = spectrum_of(source, config.data)
    assert whole == fit_spectrum(source.load(index) for index in range(len(source)))
    config.data.crop = "center"
    squares = []
    for index in range(len(source)):
        square = Image.fromarray((255 * _central_square(source.load(index))).astype(np.uint8))
        squares.append(np.asarray(square.resize((64, 64), Image.Resampling.BOX)) / 255)
    expected, fitted = fit_spectrum(squares), spectrum_of(source, config.data)
    assert fitted.exponent == pytest.approx(expected.exponent, rel=0.15)
    # What was fine detail is coarser now, of which photographs have more at each frequency.
    assert _power(fitted) > 2 * _power(whole)


def test_an_image_that_cannot_be_read_stops_no_choice(small_config, image_folder, warned):
    source = open_source(small_config.data.train, TRAINING, 3)
    (image_folder / "0.png").write_bytes((image_folder / "0.png").read_bytes()[:999])
    operator = build_operator(small_config.operator)
    assert spectrum_of(source, small_config.data).amplitude > 0
    assert choose_constants(small_config, operator, source)["wiener"]["balance"] > 0
    for crop in ("center", "whole"):
        small_config.data.evaluation_crop = crop
        _, truths = example_batch(source, operator, small_config)
        np.testing.assert_array_equal(truths[0], truths[1])
    assert "Skipped: Cannot read the image" in warned()


def test_crops_too_small_for_a_spectrum_have_that_of_natural_images(tmp_path):
    """Each image is large enough, but for training its crop is scaled down to 12 pixels."""
    config = recipes.motion_deblur()
    config.data.train, config.data.validation = "photos", "photos"
    config.data.crop_size, config.data.crop_fraction, config.data.size = 64, 0.0, 12
    config.operator.kernel_size = 3
    config.network.inverter, config.network.denoiser = "solver_resnet", "none"
    config.network.residual_blocks, config.network.residual_width = 1, 4
    config.loss.comparator, config.loss.adversarial_weight = "none", 0.0
    config.training.steps, config.training.batch_size, config.data.validation_limit = 1, 2, 1
    train(config, tmp_path / "run")
    assert kept_spectrum(tmp_path / "run") == Spectrum()
    assert "lmmse" in evaluate(tmp_path / "run", limit=1).methods


def _central_square(image):
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _power(spectrum):
    """At a tenth of a cycle per pixel."""
    return spectrum.amplitude / (0.01 + KNEE**2) ** spectrum.exponent


@pytest.mark.parametrize("crop", ["center", "whole"])
def test_a_constant_is_chosen_on_images_as_an_evaluation_has_them(crop):
    """Of 5 photographs, the balance is near the one that the whole of them would have."""
    config = photographs()
    config.data.evaluation_crop = crop
    operator = build_operator(config.operator)
    balance = constants_of(None, config, operator)["wiener"]["balance"]
    source = open_source("photos", TRAINING, 3)
    pairs = []
    for index in range(len(source)):
        image = source.load(index)[np.newaxis]
        if crop == "center":
            top, left = (image.shape[1] - 64) // 2, (image.shape[2] - 64) // 2
            image = image[:, top : top + 64, left : left + 64]
        pairs.append((round_to_8_bits(operator(image)).numpy(), image))
    best = best_balance(pairs, operator.kernel)
    assert 0.4 < balance / best < 2.5  # a third of a decade, as less is taken of the largest


def test_without_training_images_the_default_is_taken_and_told(warned, darker_folder, image_folder):
    config = photographs()
    config.data.train = "folder:gone"
    operator = build_operator(config.operator)
    constant = constants_of(None, config, operator)["wiener"]
    assert constant["balance"] == default_balance() and "folder:gone" in constant["chosen_on"]
    assert "Using default constants for wiener, lmmse" in warned()
    pairs = open_source(f"pairs:{image_folder},{darker_folder}", TRAINING, 3)
    constant = choose_constants(config, operator, pairs)["wiener"]
    assert constant["chosen_on"] == "no images: the training images are pairs"
