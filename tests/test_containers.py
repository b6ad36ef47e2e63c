"""The container's files name what there is: no container engine is needed to see that."""

import json
import re
import shlex

import pytest
import yaml
from programs import ROOT
from test_documented_commands import parse  # noqa: F401 (a fixture)

from inversenet_tf.command import COMMANDS

DOCKERFILE = ROOT / "Dockerfile"
SERVING_PAGE = ROOT / "docs/serving.md"
IMAGE = "inversenet-tf"  # as the manual calls what it builds


def _instructions():
    """[(instruction, what it is told)] of the Dockerfile."""
    lines = DOCKERFILE.read_text().replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]


def _told(name):
    return [told for instruction, told in _instructions() if instruction == name]


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def _documented():
    """[arguments of `inversenet`] in the commands of the manual that run the image."""
    blocks = re.findall(r"```sh\n(.*?)```", SERVING_PAGE.read_text(), re.DOTALL)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["docker", "run"] and IMAGE in words:
            yield words[words.index(IMAGE) + 1 :]


def test_the_image_is_made_of_what_there_is():
    assert _told("FROM") == ["python:3.11-slim"]
    copied = [word for told in _told("COPY") for word in told.split()[:-1]]
    assert {"setup.py", "inversenet_tf", "tools", "configs"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
    [extras] = re.findall(r'pip install [^\n]*"\.\[([\w,]+)\]"', "\n".join(_told("RUN")))
    known = re.findall(r'"(\w+)": \[', (ROOT / "setup.py").read_text())
    assert set(extras.split(",")) <= set(known)


def test_the_image_runs_the_command_of_the_project():
    assert json.loads(_told("ENTRYPOINT")[0]) == ["inversenet"]
    assert {command[0] for command in _documented()} >= {"train", "export"}


@pytest.mark.parametrize("command", _documented(), ids=" ".join)
def test_a_command_of_the_manual_that_runs_the_image_parses(command, parse):  # noqa: F811
    name, *arguments = command
    assert name in COMMANDS
    parse(name.replace("-", "_"), arguments)


def test_the_page_is_told_of_the_model_that_is_served(services, parse):  # noqa: F811
    name, *arguments = services["page"]["command"]
    assert name in COMMANDS and services["page"]["build"] == "."
    parse(name, arguments)
    served = services["serving"]["environment"]["MODEL_NAME"]
    [model] = [a for a in arguments if a.startswith("--model=")]
    assert re.fullmatch(rf"--model=grpc://(\w+):8500/{served}", model)[1] in services
    [port] = [a.partition("=")[2] for a in arguments if a.startswith("--port=")]
    assert services["page"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_server_finds_what_export_writes(services):
    """By the manual, TensorFlow Serving looks for the versions in /models/MODEL_NAME."""
    [volume] = services["serving"]["volumes"]
    assert volume == "./models:/models:ro"
    outputs = [a for command in _documented() for a in command if a.startswith("--output=")]
    assert f"--output=models/{services['serving']['environment']['MODEL_NAME']}" in outputs


def test_nothing_is_published_beyond_this_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)
