"""The command `inversenet`, and what is installed for it."""

import subprocess
import sys
import zipfile

import pytest
from programs import ROOT

from inversenet_tf.command import COMMANDS, main, usage
from inversenet_tf.shipped import config_path, experiments, with_config_paths


def test_every_command_is_a_tool():
    for name in COMMANDS:
        assert (ROOT / "tools" / f"{name.replace('-', '_')}.py").is_file()


def test_the_help_fits_a_screen(capsys):
    main(["--help"])
    assert capsys.readouterr().out.strip() == usage()
    lines = usage().splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["trian"])
    assert "Received: trian" in capsys.readouterr().err


def test_a_command_runs_its_tool():
    """And finds an experiment by its name."""
    output = subprocess.run(
        [sys.executable, "-m", "inversenet_tf.command", "train", "--config=quickstart", "--help"],
        capture_output=True,
        text=True,
    )
    assert (
        "inversenet train --config=quickstart" in output.stdout and "--workdir" in output.stdout
    ), output.stderr


def test_configs_by_name_or_path():
    assert config_path("quickstart") == str(experiments()["quickstart"])
    assert config_path("baseline:srgan").endswith("configs/inversenet/baseline.py:srgan")
    assert config_path("mine/own.py") == "mine/own.py"
    with pytest.raises(ValueError, match="did you mean quickstart"):
        config_path("quickstrat")
    assert with_config_paths(["--config", "quickstart", "--workdir=a"])[1].endswith("quickstart.py")


def test_a_wheel_carries_tools_and_configs(tmp_path):
    # In a copy: a build leaves folders beside setup.py.
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", tmp_path, tmp_path / "source"], check=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for expected in (
        "tools/train.py",
        "tools/benchmarks/report.py",
        "configs/inversenet/quickstart.py",
    ):
        assert f"inversenet_tf/{expected}" in names
    assert "blind_gan_tf/search.py" in names
    assert not any(name.startswith(("tests/", "tools/", "configs/")) for name in names)
