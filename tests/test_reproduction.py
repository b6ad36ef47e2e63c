"""The tables end to end, from folders to Markdown, with trainings of a few steps."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inversenet_tf import recipes, reproduction, tables
from inversenet_tf.budget import seconds_per_step, steps_within
from inversenet_tf.report import PAPER, write_report
from inversenet_tf.reproduction import Conditions, Run
from inversenet_tf.tables import TABLES

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "cub/train", "cub/val", "celeba/train", "celeba/val", "bsds500/train", "bsds500/val",
    "imagenet/train", "imagenet/val", "set5",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two images in each of the folders that the tables ask for."""
    generator, root = np.random.default_rng(0), tmp_path_factory.mktemp("images")
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        for index in range(2):
            pixels = generator.integers(0, 256, (130, 140, 3), np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """One for all tables, so that they share trainings, as a user's do."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def conditions(root, output, monkeypatch):
    """Trainings of four steps of two images, by networks as narrow as can be."""
    whole_recipe = recipes.for_two_cores

    def for_no_core(config):
        whole_recipe(config)
        config.network.discriminator_width = 2
        config.network.residual_blocks, config.network.residual_width = 1, 2
        config.training.batch_size = config.training.steps_per_epoch = 2
        config.training.steps = 4

    monkeypatch.setattr(recipes, "for_two_cores", for_no_core)
    monkeypatch.setattr(reproduction, "seconds_per_step", lambda config: 1.0)
    monkeypatch.setattr(tables, "SEEDS", (0, 1))
    return Conditions(output, 4 / 60, root, noise=0.01, limit=2)


ROWS = {
    "1": ["degraded", "wiener", "wiener_misjudged", "tv_l1", "neural_deblur", "pix2pix",
          "inverted", "restored"],
    "2": ["degraded", "own", "inverted", "restored"],
    "sr": ["bicubic", "srgan", "inverted", "restored"],
    "joint": ["bicubic", "inverted", "restored"],
    "denoiser": ["degraded", "pix2pix, seed 0", "pix2pix, seed 1", "inversenet, seed 0",
                 "inversenet, seed 1"],
    "networks": ["degraded", "unet", "unet + dae", "unet + dncnn", "neural_deblur + dae"],
}  # fmt: skip
SETS = {"sr": ["set5", "bsds500"]}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_holds_its_rows_its_figures_and_how_it_was_made(table, conditions):
    names = SETS.get(table, ["cub"])
    columns = TABLES[table](conditions, names)
    text = write_report(table, columns, conditions)
    written = json.loads((conditions.output / f"table_{table}-noise0.01.json").read_text())
    for column in written["columns"][: len(names)]:
        assert list(column["scores"]) == ROWS[table]
        assert column["made"]["number_of_images"] == 2
        for training in column["made"]["trainings"].values():
            assert training["steps"] == 4 and training["seconds"] > 0
        for name, found in column["scores"].items():
            mean = np.mean([image["psnr"] for image in found["per_image"]])
            assert found["psnr"] == pytest.approx(mean)
            assert f"| {name} |" in text and f"{mean:.2f} /" in text
    assert len(written["columns"]) == len(names) * (2 if table == "sr" else 1)
    assert len(list(conditions.output.glob(f"table_{table}-*.png"))) == len(written["columns"])
    if table == "1":
        assert list(conditions.output.glob("annealing-deblur-cub-noise0.01-inversenet*.png"))
    assert ("*28.39 / 0.942*" in text) == (table == "1")  # the paper's, for CUB
    if table == "denoiser":
        assert "ended" in text


def test_what_was_trained_is_not_trained_again(conditions, monkeypatch):
    run = Run("deblur", "cub", "pix2pix", conditions)
    run.train()
    first = run.report()
    assert first["run"] == "deblur-cub-noise0.01-pix2pix-0.0666667min"
    monkeypatch.setattr(reproduction, "train", None)  # would fail if it trained
    run.train()
    assert run.report() == first


def test_every_run_of_an_output_directory_has_its_own_name(conditions):
    one = Run("deblur", "cub", "inversenet", conditions)
    others = [
        Run("joint", "cub", "inversenet", conditions),
        Run("deblur", "celeba", "inversenet", conditions),
        Run("deblur", "cub", "pix2pix", conditions),
        Run("deblur", "cub", "inversenet", conditions, size=128),
        Run("deblur", "cub", "inversenet", conditions, seed=1),
    ]
    assert len({run.name for run in (one, *others)}) == 6


def test_the_budget_is_in_whole_epochs(small_config):
    small_config.training.steps_per_epoch = 10
    assert steps_within(small_config, minutes=2, seconds=1.0) == 120
    assert steps_within(small_config, minutes=2, seconds=1.1) == 100
    assert steps_within(small_config, minutes=0.01, seconds=1.0) == 10
    assert seconds_per_step(small_config) > 0


def test_unknown_data_and_missing_folders_end_in_one_line(tmp_path):
    def refused(*flags):
        command = [sys.executable, "tools/reproduce.py", "--table=1", f"--output={tmp_path}/out"]
        result = subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert not (tmp_path / "out").exists()
        return result.stderr

    assert "Received: 'fog'" in refused("--data=fog", f"--root={tmp_path}")
    assert "Received no celeba/train" in refused("--data=celeba", f"--root={tmp_path}")


def test_the_papers_rows_are_rows_of_ours():
    for table, rows in PAPER.items():
        assert set(rows) <= set(ROWS[table])
