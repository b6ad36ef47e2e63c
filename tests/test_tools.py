"""The command line, from training to export, as a user runs it."""

import ast
import dataclasses
import json
import re
import time

import numpy as np
import pytest
import tensorflow as tf
from benchmark_checks import check_results_are_kept
from programs import ROOT, TWELVE_STEPS, run, start_training, train, training_arguments

from inversenet_tf.command import COMMANDS
from inversenet_tf.recipes import quickstart
from inversenet_tf.train_help import FIELDS


def test_train_evaluate_restore_export(tmp_path, image_folder):
    workdir = tmp_path / "run"
    # Without the adversary, which the other programs do not see.
    arguments = training_arguments(workdir, image_folder, "--config.loss.adversarial_weight=0.0")
    trained = run("train", *arguments)
    assert trained.returncode == 0, trained.stderr
    assert "psnr_restored" in trained.stdout + trained.stderr
    scores = r"Best validation at step 2: degraded \d+\.\d\d dB, inverted .* dB, restored"
    assert re.search(scores, trained.stdout)
    assert f"inversenet restore --workdir={workdir} " in trained.stdout

    evaluated = run("evaluate", f"--workdir={workdir}", "--limit=2")
    assert evaluated.returncode == 0, evaluated.stderr
    assert "restored" in evaluated.stdout
    written = json.loads((workdir / "evaluations" / "first-2" / "results.json").read_text())
    assert written["number_of_images"] == 2 and not (workdir / "results.json").exists()

    exported = run("export", f"--workdir={workdir}", f"--output={tmp_path}/export", "--verify")
    assert exported.returncode == 0, exported.stderr
    assert "Verified in a fresh process" in exported.stdout
    assert (tmp_path / "export" / "1" / "saved_model.pb").exists()

    restored = run(
        "restore", f"--workdir={workdir}", f"--input={image_folder}", f"--output={tmp_path}/out"
    )
    assert restored.returncode == 0, restored.stderr
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_bad_input_ends_in_one_line(tmp_path, image_folder):
    refused = train(tmp_path / "run", image_folder, "--config.noise.gaussian_sigma=-1")
    assert refused.returncode == 1
    assert "Error: Expected a finite noise.gaussian_sigma >= 0. Received: -1.0" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "run").exists()
    unknown = train(tmp_path / "run", image_folder, "--config.noise.sigma=0.1")
    assert unknown.returncode == 1
    assert unknown.stderr.rstrip().splitlines()[-1].startswith("Error: Field sigma not found")
    config = "--config=configs/inversenet/motion_deblur.py:fog"
    wrong = run("train", config, f"--workdir={tmp_path / 'run'}")
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr
    assert wrong.stderr.splitlines()[-1].startswith("Error: Expected the data set in")
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize(
    ("tool", "arguments", "refusal"),
    [
        ("restore", ["--export=e", "--input=i", "--output=o", "--boundary=reflect"], "--boundary"),
        ("evaluate", ["--workdir=w", "--noise=0.01"], "--kernel with --noise"),
        ("evaluate", ["--workdir=w", "--kernel_index=1"], "--kernel with --kernel_index"),
    ],
)
def test_flags_without_effect_are_refused(tool, arguments, refusal):
    refused = run(tool, *arguments)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert f"Error: Expected {refusal}" in refused.stderr.splitlines()[-1]


def test_help_is_one_screen_and_shows_the_configs_values():
    shown = run("train", "--help")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert len(lines) <= 34 and max(map(len, lines)) <= 90
    assert re.search(r"training.steps +800 +steps of the whole training", shown.stdout)
    named = run("train", "--config=configs/inversenet/joint.py", "--help", "--config.data.size=32")
    assert re.search(r"operator.name +joint", named.stdout)
    assert re.search(r"data.size +32 ", named.stdout)


def test_the_config_is_printed_as_it_would_be_used(tmp_path):
    arguments = ["--config=quickstart", "--config.training.steps=600", "--print_config"]
    shown = run("train", *arguments, f"--workdir={tmp_path / 'run'}")
    assert shown.returncode == 0, shown.stderr
    expected = quickstart()
    expected.training.steps = 600
    assert json.loads(shown.stdout) == dataclasses.asdict(expected)
    assert not (tmp_path / "run").exists()
    refused = run("train", *arguments, "--config.training.steps=0")
    assert refused.returncode == 1 and "training.steps >= 1" in refused.stderr


@pytest.mark.parametrize("field", FIELDS)
def test_fields_that_the_help_names_exist(field):
    section, name = field.split(".")
    assert hasattr(getattr(quickstart(), section), name)


def test_a_killed_run_resumes_to_the_same_bits(tmp_path, shared_image_folder, undisturbed_run):
    """SIGKILL in mid-epoch, the same command again, against a run that nothing disturbed."""
    options = "--config.training.deterministic=True", *TWELVE_STEPS
    killed = tmp_path / "killed"
    with (tmp_path / "said.txt").open("w") as said:
        process = start_training(killed, shared_image_folder, *options, stderr=said)
    while not (killed / "checkpoints/last/step-00000003").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    process.kill()
    process.wait()
    assert not (killed / "checkpoints/last/step-00000012").exists()
    resumed = train(killed, shared_image_folder, *options)
    assert "Resumed at step" in resumed.stderr
    expected, continued = (
        tf.train.load_checkpoint(str(run / "checkpoints/last/step-00000012/state"))
        for run in (undisturbed_run, killed)
    )
    variables = [v for v in expected.get_variable_to_shape_map() if "OBJECT_GRAPH" not in v]
    assert len(variables) > 100
    for name in variables:
        np.testing.assert_array_equal(continued.get_tensor(name), expected.get_tensor(name), name)


def test_help_is_readable():
    text = run("train", "--helpshort").stdout
    assert "--workdir" in text and "inversenet train" in text


PROGRAMS = [path for path in (ROOT / "tools").glob("*.py") if "__main__" in path.read_text()]


@pytest.mark.parametrize("path", sorted(PROGRAMS), ids=lambda path: path.stem)
def test_every_tool_begins_with_its_command(path):
    name = path.stem.replace("_", "-")
    command = f"inversenet {name} " if name in COMMANDS else f"python tools/{path.name} "
    assert command in ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*/*.py")))
def test_every_config_is_valid(path):
    namespace = {}
    exec(path.read_text(), namespace)
    namespace["get_config"]().validate()


def test_train_a_prior_and_invert(tmp_path):
    sizes = "--config.latents.size=8 --config.network.generator_width=2 --config.training.steps=2"
    run(
        "train",
        "--config=configs/blind_gan/prior_digits.py",
        f"--workdir={tmp_path / 'prior'}",
        *sizes.split(),
        "--config.training.steps_per_epoch=2",
        "--config.training.batch_size=4",
        "--config.network.discriminator_width=2",
    )
    short = "rounds=1 random_starts=2 screening_rounds=1 random_candidates=5 "
    short += "surrogate_steps=2 latent_steps=2"
    output = run(
        "invert",
        "--config=configs/blind_gan/separate_over.py",
        f"--workdir={tmp_path / 'run'}",
        f"--config.prior={tmp_path / 'prior'}",
        "--config.problem.number=2",
        "--config.problem.group_size=1",
        *(f"--config.search.{setting}" for setting in short.split()),
    ).stdout
    assert "2 measurements from digits@held_out" in output
    for method in ("pgd_known", "naive", "ica", "blind"):
        assert method in output
    wrong = run("train", "--config=configs/blind_gan/edges.py", f"--workdir={tmp_path}")
    assert wrong.returncode == 1 and "tools/invert.py" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize("section", ["tiles", "training_step", "scale"])
def test_the_benchmark_runs_and_goes_on_where_it_was(section, tmp_path, shared_run):
    """`benchmarks/test_benchmark.py` has a quick one, of a section that does nothing."""
    if section == "training_step":
        pytest.importorskip("torch")
    command = ("benchmark", f"--output={tmp_path}", "--tiny", f"--sections={section}")
    only = {
        "tiles": f"--workdir={shared_run}",
        "training_step": "--only=two cores",
        "scale": "--only=kernel",
    }[section]
    check_results_are_kept(lambda *flags: run(*command, only, *flags), tmp_path)
