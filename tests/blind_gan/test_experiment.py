import dataclasses
import json
import runpy

import keras
import numpy as np
import pytest
from PIL import Image

from blind_gan_tf import search_log
from blind_gan_tf.config import SearchConfig, SurrogateConfig
from blind_gan_tf.experiment import run_inversion
from blind_gan_tf.methods import METHODS, admitted
from blind_gan_tf.prior import load_prior
from blind_gan_tf.problems import measured, simulated, stacked
from blind_gan_tf.scoring import format_table
from inversenet_tf.imaging.config import OperatorConfig
from inversenet_tf.imaging.files.locks import InUse, held
from inversenet_tf.shipped import experiments

pytestmark = pytest.mark.usefixtures("untraced")


def test_a_restoration_leaves_all_it_promises(restoration, tmp_path):
    workdir = tmp_path / "run"
    results = run_inversion(restoration, workdir)
    assert list(results["methods"]) == [
        "degraded",
        "random",
        "pgd",
        "wiener",
        "pgd_known",
        "range",
        "blind",
        "blind_refined",
    ]
    assert json.loads(json.dumps(results)) == json.loads((workdir / "results.json").read_text())
    for scores in results["methods"].values():
        assert len(scores["per_image"]) == 3
        mean = np.mean([image["psnr"] for image in scores["per_image"]])
        assert scores["psnr"] == pytest.approx(mean)
    assert results["prior"]["training"]["step"] == 2
    assert len(results["data"]["prior_sha256"]) == 64
    assert results["metrics"]["data_range"] == 1.0
    [operator] = results["blind"]["operators"]
    assert {"relative_error", "correlation", "receptive_field"} <= operator.keys()
    assert len(results["blind"]["history"]) == 3
    assert sorted(p.name for p in (workdir / "recovered").iterdir()) == [
        "000.png",
        "001.png",
        "002.png",
    ]
    assert np.load(workdir / "operator" / "000.npy").shape == (1, 32, 32, 1)
    surrogate = keras.models.load_model(workdir / "surrogate" / "000.keras")
    assert surrogate(np.zeros((1, 32, 32, 1))).shape == (1, 32, 32, 1)
    assert Image.open(workdir / "figure.png").size[0] > 300
    assert {p.name for p in (workdir / "logs").iterdir()} >= {"blind", "pgd"}
    assert "PSNR" in format_table(results["methods"])


def test_a_work_directory_is_for_one_process(restoration, tmp_path):
    with held(tmp_path / "run"), pytest.raises(InUse, match="run is in use by"):
        run_inversion(restoration, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_separation_is_matched_and_judged(separation, tmp_path):
    classifier = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    classifier.save(tmp_path / "classifier.keras")
    separation.classifier = str(tmp_path / "classifier.keras")
    results = run_inversion(separation, tmp_path / "run")
    assert list(results["methods"]) == [
        "degraded",
        "random",
        "pgd_known",
        "naive",
        "ica",
        "range",
        "blind",
    ]
    assert all(0 <= scores["read"] <= 1 for scores in results["methods"].values())
    assert "matching" in results["metrics"]
    recovered = {p.name for p in (tmp_path / "run" / "recovered").iterdir()}
    assert recovered == {f"{i:03d}-{s}.png" for i in range(3) for s in range(2)}


def test_an_interrupted_search_ends_as_an_undisturbed_one(separation, tmp_path, monkeypatch):
    separation.methods = ("blind",)
    separation.search.perceptual_weight = 0.0
    separation.search.random_starts, separation.search.candidates = 2, 2
    separation.search.screening_rounds, separation.search.random_candidates = 2, 5
    whole = run_inversion(separation, tmp_path / "whole")
    seen = []
    save = search_log.checkpoints.save

    def cut(*args):
        save(*args)
        seen.append(args)
        if len(seen) in (1, 4):  # in the screening, and in the search
            raise KeyboardInterrupt

    monkeypatch.setattr(search_log.checkpoints, "save", cut)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_inversion(separation, tmp_path / "cut")
    resumed = run_inversion(separation, tmp_path / "cut")
    assert len(seen) == 5  # nothing was done twice
    assert resumed["blind"] == whole["blind"]
    assert resumed["methods"] == whole["methods"]


def test_own_measurements_need_no_truth(restoration, tmp_path):
    restoration.search.perceptual_weight = 0.0
    folder = tmp_path / "mine"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(np.full((32, 32), 40 * index, np.uint8)).save(folder / f"m{index}.png")
    results = run_inversion(restoration, tmp_path / "run", folder)
    assert list(results["methods"]) == ["random", "pgd", "blind", "blind_refined"]
    assert results["measurements"] == ["m0", "m1", "m2"]
    assert (tmp_path / "run" / "recovered" / "m1.png").exists()
    with pytest.raises(ValueError, match=r"Expected the prior and the measurements that"):
        Image.fromarray(np.full((32, 32), 250, np.uint8)).save(folder / "m0.png")
        run_inversion(restoration, tmp_path / "run", folder)


def test_signed_measurements_are_read_and_stored_without_loss(restoration, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    edges = np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32)
    for index, array in enumerate(edges):
        np.save(folder / f"{index}.npy", array)
    with pytest.raises(ValueError, match=r"Expected values from 0 to 1.*problem.signed"):
        measured(folder, restoration, 1)
    restoration.problem.signed, restoration.problem.noise.quantize = True, False
    restoration.methods = ("blind",)
    run_inversion(restoration, tmp_path / "run", folder)
    np.testing.assert_array_equal(np.load(tmp_path / "run" / "measurements.npy")[..., 0], edges)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([np.zeros((32, 32)), np.zeros((32, 30))], "Expected measurements of one shape"),
        ([np.full((32, 32), np.nan)], "Expected finite values"),
        ([np.zeros((32, 32), int)], "of floating-point values in .* or of unsigned integers"),
        ([np.zeros((30, 30))], "Expected measurements of the prior's size"),
        ([], "Received: none"),
    ],
)
def test_bad_measurements_are_refused_before_anything_is_written(
    restoration, tmp_path, arrays, message
):
    folder = tmp_path / "mine"
    folder.mkdir()
    for index, array in enumerate(arrays):
        np.save(folder / f"{index}.npy", array)
    with pytest.raises(ValueError, match=message):
        run_inversion(restoration, tmp_path / "run", folder)
    assert not (tmp_path / "run").exists()


def test_images_and_arrays_are_measurements_alike(restoration, tmp_path):
    """Colours for a prior of gray images, gray for one of colours, and integers."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    for channels, shown in ((1, pixels), (3, pixels[..., 0])):
        found = []
        for kind in ("png", "npy", "floats"):
            folder = tmp_path / f"{kind}{channels}"
            folder.mkdir()
            if kind == "png":
                Image.fromarray(shown).save(folder / "a.png")
            else:
                np.save(folder / "a.npy", shown if kind == "npy" else shown / 255)
            found.append(measured(folder, restoration, channels).measurements)
            assert found[-1].shape == (1, 32, 32, channels)
        np.testing.assert_allclose(found[1], found[0], atol=1 / 255)
        np.testing.assert_allclose(found[2], found[0], atol=1 / 255)


def test_another_scale_gets_the_advice_for_it(restoration, tmp_path):
    np.save(tmp_path / "a.npy", np.full((32, 32), 200.0))
    with pytest.raises(ValueError, match="To restore them, divide by 255"):
        measured(tmp_path, restoration, 1)
    np.save(tmp_path / "a.npy", np.full((32, 32), -0.5))
    with pytest.raises(ValueError, match="problem.signed"):
        measured(tmp_path, restoration, 1)


@pytest.mark.parametrize("name", ["mixture.png", "mixture.npy"])
def test_several_mixtures_come_as_arrays(separation, tmp_path, name):
    folder = tmp_path / "mine"
    folder.mkdir()
    if name.endswith("png"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / name)
        with pytest.raises(ValueError, match=r"Expected 3 mixtures as one .npy array"):
            measured(folder, separation, 1)
    else:
        np.save(folder / name, np.full((32, 32, 3), 1.5))
        assert measured(folder, separation, 1).measurements.shape == (1, 32, 32, 3)


def test_measurements_of_one_name_are_refused(restoration, tmp_path):
    for suffix in ("png", "jpg"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / f"a.{suffix}")
    assert measured(tmp_path, restoration, 1).names == ["a.jpg", "a.png"]
    (tmp_path / "a").mkdir()
    for name in ("a/b.png", "a-b.png"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / name)
    with pytest.raises(ValueError, match="Received: several for a"):
        measured(tmp_path, restoration, 1)


def test_scoring_may_change_but_the_search_may_not(restoration, tmp_path):
    restoration.methods, restoration.search.perceptual_weight = ("blind",), 0.0
    first = run_inversion(restoration, tmp_path / "run")
    restoration.methods, restoration.metrics.rounding = ("random", "blind"), False
    again = run_inversion(restoration, tmp_path / "run")
    assert again["blind"] == first["blind"] and "random" in again["methods"]
    restoration.search.latent_learning_rate = 0.5
    with pytest.raises(ValueError, match="search.latent_learning_rate"):
        run_inversion(restoration, tmp_path / "run")


def test_noise_may_leave_the_range(restoration, tmp_path):
    restoration.problem.noise.gaussian_sigma = 0.05
    restoration.methods = ("wiener",)
    assert run_inversion(restoration, tmp_path / "run")["methods"]["wiener"]["psnr"] > 0


def test_what_could_not_be_scored_is_refused_first(restoration, separation, tmp_path):
    separation.metrics.crop = 11
    with pytest.raises(ValueError, match="metrics.crop"):
        run_inversion(separation, tmp_path / "run")
    separation.metrics.crop = 0
    classifier = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    classifier.save(tmp_path / "classifier.keras")
    separation.classifier = str(tmp_path / "classifier.keras")
    with pytest.raises(ValueError, match="Expected a classifier for images"):
        run_inversion(separation, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_results_do_not_lie_among_the_measurements(restoration, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((32, 32)))
    for workdir in (tmp_path, tmp_path / "run"):
        with pytest.raises(ValueError, match="Expected a work directory outside"):
            run_inversion(restoration, workdir, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_shared_kernel_needs_measurements_like_images(separation, tmp_path):
    separation.surrogate.name = "shared_kernel"
    with pytest.raises(ValueError, match="measurements of 2 channels.*Received: 3"):
        run_inversion(separation, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_kernel_is_estimated_from_signed_measurements(restoration, tmp_path):
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "a.npy", np.linspace(-1, 1, 1024).reshape(32, 32))
    restoration.problem.signed, restoration.problem.noise.quantize = True, False
    restoration.surrogate.name, restoration.surrogate.initial_kernel = "shared_kernel", "auto"
    with pytest.raises(ValueError, match='with surrogate.initial_kernel "auto".*Received: -1 to 1'):
        run_inversion(restoration, tmp_path / "run", tmp_path / "mine")
    assert not (tmp_path / "run").exists()


def test_every_method_says_what_it_admits(separation, restoration, tiny_prior):
    prior = load_prior(tiny_prior)
    separation.problem.mixing.mixtures = 1
    assert "ica" not in admitted(simulated(separation, prior), prior, separation)


def test_simulated_problems_are_a_function_of_the_seed(separation, tiny_prior):
    prior = load_prior(tiny_prior)
    one, twin = simulated(separation, prior), simulated(separation, prior)
    np.testing.assert_array_equal(one.measurements, twin.measurements)
    separation.problem.seed = 1
    assert (simulated(separation, prior).measurements != one.measurements).any()


def test_groups_are_measured_by_their_own_operator(separation, tiny_prior):
    separation.problem.number, separation.problem.group_size = 4, 2
    problem = simulated(separation, load_prior(tiny_prior))
    assert len(problem.operators) == 2
    assert (problem.operators[0].matrix != problem.operators[1].matrix).any()
    second = problem.operators[1](stacked(problem.images[2:]))
    np.testing.assert_allclose(problem.measurements[2:], second, atol=1e-6)


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("search", "rounds", 0, "search.rounds >= 1"),
        ("search", "random_starts", 0, "search.starts >= 1"),
        ("search", "latent_learning_rate", float("nan"), "search.latent_learning_rate"),
        ("search", "renew_every", 3, "search.candidates of at least 2"),
        ("surrogate", "kernel_size", 4, "odd surrogate.kernel_size"),
        ("problem", "group_size", 2, "multiple of problem.group_size"),
        ("problem", "sources", 2, "several problem.sources"),
        ("surrogate", "initial_kernel", "k.npy", "with surrogate.initial_kernel"),
        ("refinement", "steps", 0, "refinement.steps >= 1"),
        ("problem", "signed", True, "quantize False"),
        ("surrogate", "kernel_size", 33, "surrogate.kernel_size of at most 32"),
        ("problem", "operator", OperatorConfig(kernel_size=40), "Expected a kernel no larger"),
        ("problem", "number", 900, "at least 900 images"),
        ("problem", "images", "folder:/nowhere", "Expected a directory"),
    ],
)
def test_bad_configs_are_refused_before_anything_is_written(
    restoration, tmp_path, section, field, value, message
):
    setattr(getattr(restoration, section), field, value)
    with pytest.raises(ValueError, match=message):
        run_inversion(restoration, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_edges_must_be_declared_signed(restoration):
    restoration.problem.operator.kernel = "sobel"
    with pytest.raises(ValueError, match="Expected problem.signed"):
        restoration.validate()
    assert set(restoration.methods) == set(METHODS)


def test_refined_images_need_those_of_the_search(restoration):
    restoration.methods = ("pgd", "blind_refined")
    with pytest.raises(ValueError, match='Expected "blind" among the methods with "blind_refined"'):
        restoration.validate()


def test_a_kernel_to_begin_with_must_be_one_before_anything_is_written(restoration, tmp_path):
    restoration.surrogate.name = "shared_kernel"
    restoration.surrogate.initial_kernel = str(tmp_path / "kernel.npy")
    with pytest.raises(ValueError, match="Expected a kernel file"):
        run_inversion(restoration, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["deblur", "edges", "separate_over", "separate_under"])
def test_the_papers_experiments_have_its_constants(name):
    config = runpy.run_path(experiments()[f"{name}_paper"])["get_config"]()
    config.validate()
    assert config.search == SearchConfig()
    assert dataclasses.replace(config.surrogate, name="mixing") == SurrogateConfig("mixing")
