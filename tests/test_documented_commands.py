"""Every command and every field of a config that the project's own texts show is a real one.

These are README and the manual, the help of the programs, and the lab notes that configs open with.
"""

import ast
import dataclasses
import importlib.util
import re
import runpy
import shlex
import sys

import pytest
from absl import flags
from programs import ROOT

from blind_gan_tf.config import InversionConfig, PriorConfig
from inversenet_tf.command import COMMANDS, usage
from inversenet_tf.config import Config
from inversenet_tf.imaging.renamed import with_present_names_of_flags
from inversenet_tf.shipped import config_path, experiments, with_config_paths

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = [
    path for place in ("tools", "configs", "examples") for path in (ROOT / place).rglob("*.py")
]
COMMAND = re.compile(
    r"(?:^|\s|/)(?:inversenet ([a-z][\w-]*)|tools/(?=[\w/]+\.py (?:\.{3} )?--)([\w/]+)\.py)"
    r"(?=\s|$)(.*)"
)
# What a page leaves out of a command as `...`, or within a sentence.
LEFT_OUT = {
    "train": ["--config=quickstart", "--workdir=runs/mine"],
    "benchmark": ["--output=runs/benchmark"],
    "invert": ["--config=deblur", "--workdir=runs/deblur", "--config.prior=runs/prior_celeba"],
    "endurance/kill_training": ["--config=quickstart", "--output=runs/endurance"],
}
PACKAGES = ("inversenet_tf", "blind_gan_tf")
CONFIGS = (Config, PriorConfig, InversionConfig)
FIELD = re.compile(r"(?:--config\.)?([a-z_]+(?:\.[a-z_0-9]+)+)(?:=.*)?")


def _shell_lines(page):
    """Lines of a page's shell code, each with the lines that it goes on in, without comments."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def _inline_code(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def _notes():
    """The help of `inversenet` and the docstrings of the programs, configs and examples."""
    yield usage()
    for path in sorted(PROGRAMS):
        yield ast.get_docstring(ast.parse(path.read_text())) or ""


def _lines_of_notes():
    """Lines that begin with a command; a line of `... --flag` goes on with the one before."""
    for note in _notes():
        whole = ""
        for line in note.replace("\\\n", " ").splitlines():
            text = line.strip()
            if text.startswith("... --"):
                yield whole + text.removeprefix("...")
            elif re.match(r"(inversenet [a-z-]+|python tools/\S+) (--|\.{3})", text):
                whole = re.sub(r"\s#.*", "", text)
                yield whole


def _commands():
    """Each command of the texts once, (program, its arguments)."""
    commands = {}
    for page in PAGES:
        for line in _shell_lines(page):
            commands |= dict.fromkeys(_commands_in(line))
        for code in _inline_code(page):
            commands |= dict.fromkeys(_commands_in(f"{code} ..."))
    for line in _lines_of_notes():
        commands |= dict.fromkeys(_commands_in(line))
    return list(commands)


def _commands_in(line):
    for program, tool, others in COMMAND.findall(line):
        name = program.replace("-", "_") or tool  # as its file is called
        arguments = shlex.split(others, comments=True)
        if any("..." in argument for argument in arguments):
            told = [argument for argument in arguments if "..." not in argument]
            arguments = [*LEFT_OUT.get(name, []), *told]
        yield name, *arguments


@pytest.fixture
def parse(monkeypatch):
    """`parse(name, arguments)` parses flags as `tools/NAME.py` does, and checks its config.

    absl keeps one set of flags a process: those that other tests' programs have defined are
    set aside meanwhile.
    """
    others = {name: flags.FLAGS[name] for name in flags.FLAGS if not _is_of_absl(name)}
    _remove_flags(others)

    def parse(name, arguments):
        monkeypatch.syspath_prepend(ROOT / "tools")
        monkeypatch.syspath_prepend((ROOT / "tools" / name).parent)
        spec = importlib.util.spec_from_file_location(
            f"documented_{name.replace('/', '_')}", ROOT / f"tools/{name}.py"
        )
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        arguments = [name, *(a for a in arguments if a != "--help")]  # a flag of absl's programs
        arguments = with_config_paths(with_present_names_of_flags(arguments))
        monkeypatch.setattr(sys, "argv", arguments)  # where config flags look for overrides
        assert flags.FLAGS(arguments) == [name]
        config = flags.FLAGS["config"].value if "config" in flags.FLAGS else None
        if isinstance(config, CONFIGS):  # it may be a path that the program passes on
            config.validate()

    yield parse
    flags.FLAGS.unparse_flags()
    _remove_flags([name for name in flags.FLAGS if not _is_of_absl(name)])
    for name, flag in others.items():
        flags.FLAGS[name] = flag


def _is_of_absl(flag):
    """Whether absl itself defines a flag; the overrides of a config are defined in its name too."""
    module = str(flags.FLAGS.find_module_defining_flag(flag))
    return module.startswith("absl") and not flag.startswith("config.")


def _remove_flags(names):
    for name in names:
        delattr(flags.FLAGS, name)


@pytest.mark.parametrize("command", [c for c in _commands() if len(c) > 1], ids=" ".join)
def test_a_command_of_the_manual_parses(command, parse):
    parse(command[0], command[1:])


def test_the_manual_shows_every_command_and_no_other():
    shown = {name for name, *_ in _commands()}
    assert {name.replace("-", "_") for name in COMMANDS} <= shown
    assert all((ROOT / f"tools/{name}.py").is_file() for name in shown)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train", ["--config=quickstrat", "--workdir=w"], "did you mean quickstart"),
        ("train", ["--config=quickstart", "--workdir=w", "--config.data.sise=1"], "sise"),
        ("train", ["--config=quickstart", "--workdir=w", "--config.data.size=31"], "data.size"),
        ("restore", ["--workdir=w", "--input=i", "--output=o", "--ovrewrite"], "ovrewrite"),
        ("restore", ["--workdir=w", "--input=i"], "--output"),
    ],
)
def test_a_command_with_a_slip_does_not(name, arguments, message, parse):
    with pytest.raises((ValueError, KeyError, flags.Error), match=message):
        parse(name, arguments)


def _fields(kind, prefix=""):
    """Dotted names of a config's fields, sections included."""
    for field in dataclasses.fields(kind):
        yield prefix + field.name
        if dataclasses.is_dataclass(field.type):
            yield from _fields(field.type, f"{prefix}{field.name}.")


def test_fields_that_the_manual_names_exist():
    fields = {name for kind in CONFIGS for name in _fields(kind)}
    sections = {name.partition(".")[0] for name in fields if "." in name}
    named = {}
    for page in PAGES:
        for code in _inline_code(page):
            for word in code.split():
                match = FIELD.fullmatch(word)
                if match and match[1].partition(".")[0] in sections:
                    named[match[1]] = page.name
    assert named
    assert {name: page for name, page in named.items() if name not in fields} == {}


def test_experiments_that_the_manual_names_exist():
    named = [
        name
        for page in PAGES
        for name in re.findall(r"--config[= ]([\w:]+)(?=[`\s])", page.read_text())
    ]
    assert named
    for name in named:
        config_path(name)


@pytest.mark.parametrize("steps", ["1000", "5000", "801", "7"])
@pytest.mark.parametrize("config", ["quickstart", "any_blur", "motion_deblur", "prior_digits"])
def test_any_number_of_steps_is_one(config, steps, parse):
    parse("train", [f"--config={config}", "--workdir=w", f"--config.training.steps={steps}"])


def test_notes_show_commands_of_every_experiment():
    shown = {part for _, *arguments in _commands() for part in arguments}
    for name in experiments():
        assert any(re.fullmatch(rf"--config={name}(:\w+)?", part) for part in shown), name


def test_what_is_to_be_installed_can_be():
    """No index has this project: its extras are installed from a copy of it."""
    code = [line for page in PAGES for line in [*_shell_lines(page), *_inline_code(page)]]
    lines = [*code, *"\n".join(_notes()).splitlines()]
    packages = [place for package in PACKAGES for place in (ROOT / package).rglob("*.py")]
    lines += [line for path in packages for line in path.read_text().splitlines()]
    installed = re.findall(r"pip install (\S+)", "\n".join(lines))
    extras = re.findall(r'"(\w+)": \[', (ROOT / "setup.py").read_text())
    assert '".[serving]"' in installed
    for name in installed:
        assert "inversenet-tf" not in name
        if extra := re.search(r"\[(.+)\]", name):
            assert name == f'".[{extra[1]}]"' and extra[1] in extras


def test_experiments_with_an_argument_take_it():
    """As `joint:celeba`, and `(`:cub`)` after it for another argument."""
    shown = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            name = ""
            for code in re.findall(r"`([^`]+)`", line):
                match = re.fullmatch(r"(\w*):(\w+)", code)
                name = match[1] or name if match else ""
                if match and name in experiments():
                    shown.append((name, match[2]))
    assert len(shown) >= 10
    for name, argument in shown:
        runpy.run_path(str(experiments()[name]))["get_config"](argument).validate()


def test_python_files_that_the_manual_names_exist():
    folders = [ROOT, *(ROOT / "configs").iterdir(), ROOT / "examples"]
    for page in PAGES:
        if page.name == "changelog.md":  # which tells of names that are no more
            continue
        code = [word for line in _inline_code(page) for word in line.split()]
        code += [word for line in _shell_lines(page) for word in line.split()]
        for name in code:
            if re.fullmatch(r"[\w./]+\.py(:\w+)?", name):
                assert any((folder / name).is_file() for folder in folders), f"{page.name}: {name}"


def test_targets_of_make_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    code = "\n".join(line for page in PAGES for line in [*_shell_lines(page), *_inline_code(page)])
    shown = set(re.findall(r"(?:^|\s)make ([\w-]+)", code))
    assert shown and shown <= set(targets)
