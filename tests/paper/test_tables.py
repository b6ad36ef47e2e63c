"""The tables end to end, from folders to Markdown, with trainings of a few steps."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from programs import run

from inversenet_tf import recipes
from inversenet_tf.budget import seconds_per_step, steps_within
from inversenet_tf.chosen_constants import NAMES
from inversenet_tf.imaging.files.locks import InUse, held
from inversenet_tf.paper import tables, trainings
from inversenet_tf.paper.measure import reproduce
from inversenet_tf.paper.report import PAPER
from inversenet_tf.paper.tables import TABLES
from inversenet_tf.paper.trainings import Conditions, Training

pytestmark = pytest.mark.usefixtures("untraced")
FOLDERS = (
    "cub/train",
    "cub/val",
    "celeba/train",
    "celeba/val",
    "bsds500/train",
    "bsds500/val",
    "imagenet/train",
    "imagenet/val",
    "set5",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two images in each of the folders that the tables ask for."""
    generator, root = np.random.default_rng(0), tmp_path_factory.mktemp("images")
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        for index, side in enumerate((300 if folder == "set5" else 130, 130)):
            pixels = generator.integers(0, 256, (side, 300, 3), np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """One for all tables, so that they share trainings, as a user's do."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def conditions(root, output, monkeypatch):
    """Trainings of two steps of two images, by networks as narrow as can be."""
    whole_recipe = recipes.for_two_cores

    def for_no_core(config):
        whole_recipe(config)
        config.network.depth = config.network.discriminator_width = config.network.width = 2
        config.network.dncnn_layers = 3
        config.network.residual_blocks, config.network.residual_width = 1, 2
        # SRGAN's recipe has a discriminator of its own, and a pretraining.
        config.loss.pretraining_fraction = config.loss.adversarial_weight = 0.0
        config.training.batch_size = config.training.steps_per_epoch = config.training.steps = 2

    monkeypatch.setattr(recipes, "for_two_cores", for_no_core)
    monkeypatch.setattr(trainings, "seconds_per_step", lambda config: 1.0)
    monkeypatch.setattr(tables, "SEEDS", (0, 1))
    monkeypatch.setattr(tables, "SR_TASKS", ("sr3",))  # sr7 differs by its kernel alone
    monkeypatch.setattr(tables, "SR_SIDE", 160)
    monkeypatch.setattr(tables, "JOINT_SIDES", {"cub": (0, 32)})
    return Conditions(output, 2 / 60, root, noise=0.01, limit=2)


ROWS = {
    "1": [
        "degraded",
        "wiener",
        "wiener_mismatched",
        "lmmse",
        "tv_l1",
        "neural_deblur",
        "pix2pix",
        "inverted",
        "restored",
        "inversenet_solver",
    ],
    "2": ["degraded", "lmmse", "own", "inverted", "restored", "inversenet_solver"],
    "sr": ["bicubic", "lmmse", "srgan", "inverted", "restored", "inversenet_solver"],
    "joint": ["bicubic", "lmmse", "inverted", "restored", "inversenet_solver"],
    "denoiser": [
        "degraded",
        "pix2pix, seed 0",
        "pix2pix, seed 1",
        "inversenet, seed 0",
        "inversenet, seed 1",
    ],
    "networks": ["degraded", "unet", "unet + dae", "unet + dncnn", "neural_deblur + dae"],
}
OUTPUTS = {"inversenet": ["inverted", "restored"]}
LARGE_ROWS = ["degraded", "wiener", "lmmse", "inverted", "restored", "inversenet_solver"]
SETS = {"sr": ["set5", "bsds500"]}
COLUMNS = {
    "2": ["cub trained on natural", "set5 256x256, trained at 128x128"],  # none of 512 pixels
    "sr": ["set5", "bsds500", "set5 160x160"],  # no photograph of BSDS500 is that large
    "joint": ["cub", "cub 32x32"],
}


def test_a_table_is_made_by_one_process(conditions):
    with held(conditions.output), pytest.raises(InUse, match="is in use by"):
        reproduce("1", ["celeba"], conditions)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_has_its_rows_and_trainings_that_can_begin(table, conditions):
    for column in TABLES[table](conditions, SETS.get(table, ["cub"])):
        trained = [row for name in column.trainings for row in OUTPUTS.get(name, [name])]
        expected = LARGE_ROWS if table == "2" and column.side else ROWS[table]
        assert [*column.baselines, *trained] == expected
        assert all(training.config().training.steps == 2 for training in column.trainings.values())


SHOWN_QUICKLY = ("1", "sr", "denoiser")  # sizes of the set's own and others, and several seeds


@pytest.mark.parametrize(
    "table",
    [pytest.param(t, marks=[] if t in SHOWN_QUICKLY else pytest.mark.slow) for t in TABLES],
)
def test_a_table_holds_its_rows_its_figures_and_how_it_was_made(table, conditions):
    names = SETS.get(table, ["cub"])
    text = reproduce(table, names, conditions)
    file = f"table_{table}-{'+'.join(names)}-noise0.01-0.0333333min"
    written = json.loads((conditions.output / f"{file}.json").read_text())
    assert (conditions.output / f"{file}.md").read_text() == text + "\n"
    assert [column["title"] for column in written["columns"]] == COLUMNS.get(table, names)
    for column in written["columns"]:
        is_large = "256x256" in column["title"] or "160x160" in column["title"]
        rows = LARGE_ROWS if is_large and table == "2" else ROWS[table]
        assert list(column["scores"]) == rows
        assert column["provenance"]["number_of_images"] == (1 if is_large else 2)
        for training in column["provenance"]["trainings"].values():
            assert training["steps"] == 2 and training["seconds"] > 0
            assert training["config"]["noise"]["gaussian_sigma"] == 0.01
            assert training["config"]["loss"]["pretraining_fraction"] in (0.0, 0.5)  # SRGAN's
            assert training["feature_share"] == 0.0 and "lambda_f's share of the loss 0.0%" in text
        for name, scores in column["scores"].items():
            mean = np.mean([image["psnr"] for image in scores["per_image"]])
            assert scores["psnr"] == pytest.approx(mean)
            assert f"| {name} |" in text and f"{mean:.2f} /" in text
        constants = column["provenance"]["baselines"]
        assert set(constants) == {name for name in rows if name in NAMES}
        for constant in constants.values():
            assert "training images of folder:" in constant["chosen_on"]
        is_own = column["data"] in ("cub", "celeba")
        assert column["provenance"]["data"]["role"] == ("validation" if is_own else "other")
    figures = list(conditions.output.glob(f"table_{table}-*.png"))
    assert len(figures) == len(written["columns"])
    if table == "1":
        assert list(conditions.output.glob("annealing-deblur-cub-inversenet*.png"))
    assert ("*28.39 / 0.942*" in text) == (table == "1")  # the paper's, for CUB
    assert ("ended" in text) == (table == "denoiser")


def test_what_was_trained_is_not_trained_again(conditions, monkeypatch):
    training = Training("deblur", "cub", "pix2pix", conditions)
    training.run()
    first = training.provenance()
    assert first["run"] == "deblur-cub-pix2pix-noise0.01-0.0333333min"
    monkeypatch.setattr(trainings, "train", None)  # would fail if it trained
    training.run()
    assert training.provenance() == first


def test_another_experiment_of_the_same_name_is_not_taken_for_it(conditions, monkeypatch):
    training = Training("deblur", "cub", "pix2pix", conditions)
    training.run()
    monkeypatch.setitem(
        recipes.TRAINED, "pix2pix", lambda config: setattr(config.network, "depth", 5)
    )
    with pytest.raises(ValueError, match="network.depth: 2 there, 5 here"):
        training.run()


def test_every_training_of_an_output_directory_has_its_own_name(conditions):
    def under(**changes):
        other = dataclasses.replace(conditions, **changes)
        return Training("deblur", "cub", "inversenet", other)

    trainings = [
        under(),
        under(noise=0.0),
        under(minutes=30.0),
        under(comparator_weights="squeezenet.h5"),
        Training("joint", "cub", "inversenet", conditions),
        Training("deblur", "celeba", "inversenet", conditions),
        Training("deblur", "cub", "pix2pix", conditions),
        Training("deblur", "cub", "inversenet", conditions, size=128),
        Training("deblur", "cub", "inversenet", conditions, seed=1),
    ]
    assert len({training.workdir for training in trainings}) == len(trainings)


@pytest.mark.parametrize(
    ("table", "names", "changes", "message"),
    [
        ("1", ["fog"], {}, "'fog'"),
        ("1", ["cub"], {"comparator_weights": "none.h5"}, "none.h5"),
        ("1", ["set5"], {}, "for measuring only"),
        ("1", ["voc"], {}, "no voc/train"),
        ("2", ["imagenet"], {}, "was not trained on"),
        ("sr", ["set5"], {"root": None}, "bsds500/train"),
    ],
)
def test_what_cannot_be_made_is_refused_before_any_training(
    table, names, changes, message, conditions, monkeypatch
):
    monkeypatch.setattr(trainings, "train", None)  # would fail if it trained
    with pytest.raises(ValueError, match=message):
        reproduce(table, names, dataclasses.replace(conditions, **changes))


def test_the_budget_is_in_whole_epochs(small_config):
    small_config.training.steps_per_epoch = 10
    assert steps_within(small_config, minutes=2, seconds=1.0) == 120
    assert steps_within(small_config, minutes=2, seconds=1.1) == 100
    assert steps_within(small_config, minutes=0.01, seconds=1.0) == 10
    assert seconds_per_step(small_config) > 0


def test_the_tool_ends_bad_input_in_one_line(tmp_path):
    places = f"--root={tmp_path}", f"--output={tmp_path}/out"
    result = run("reproduce", "--table=1", "--data=celeba", *places)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "Received no celeba/train" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_papers_rows_are_rows_of_ours():
    for table, rows in PAPER.items():
        assert set(rows) <= set(ROWS[table])
