"""What is installed with the packages besides their modules: programs, experiments and presets.

In a checkout the programs and the experiments lie in `tools/` and `configs/` at the top; a wheel
carries both folders inside `inversenet_tf`, where the presets always are.
"""

import difflib
import json
import re
from pathlib import Path

PACKAGE = Path(__file__).parent
PRESETS = PACKAGE / "presets"
CARD_FILE = "card.json"  # of a preset: what it is, and how it was made


def shipped_folder(name: str) -> Path:
    """Returns the folder `tools` or `configs` of the installed package or of the checkout.

    Raises:
        ValueError: it is in neither place.
    """
    for parent in (PACKAGE, PACKAGE.parent):
        if (parent / name).is_dir():
            return parent / name
    raise ValueError(f"Expected a folder {name}/ in or beside {PACKAGE}. Received: none.")


def experiments() -> dict[str, Path]:
    """The config files of all experiments, {name: path}, as `--config=NAME` takes them."""
    return {path.stem: path for path in sorted(shipped_folder("configs").glob("*/*.py"))}


def presets() -> dict[str, str]:
    """The trained networks that ship with the package: {name: what it is, in a sentence}.

    Example:
        ```python
        restorer = inversenet_tf.load("any_blur")
        prior = blind_gan_tf.Prior.load("digits")
        ```
    """
    return {
        name: json.loads((folder / CARD_FILE).read_text())["summary"]
        for name, folder in _preset_folders().items()
    }


def _preset_folders():
    """{name: folder} of the presets, without reading any of their files."""
    return {path.parent.name: path.parent for path in sorted(PRESETS.glob(f"*/{CARD_FILE}"))}


def preset_folder(name: str, *others: str) -> Path:
    """The folder of a preset.

    Args:
        name: of the preset.
        others: further names that the caller accepts, for the error message.

    Raises:
        ValueError: there is no such preset.
    """
    folders = _preset_folders()
    if name not in folders:
        known = " and ".join([", ".join(folders), *others])
        raise ValueError(f"Expected one of {known}. Received: {name}")
    return folders[name]


def preset_or_path(where: str | Path) -> Path:
    """Returns the folder of a preset if `where` is its name, else `where` as a path."""
    return _preset_folders().get(str(where)) or Path(where).expanduser()


def config_path(name: str) -> str:
    """The path of an experiment's config file, with its argument where it has one.

    Args:
        name: "quickstart", "baseline:pix2pix", or a path, which stays as it is.

    Raises:
        ValueError: there is no such experiment.
    """
    experiment, colon, argument = name.partition(":")
    if not re.fullmatch(r"\w+", experiment):
        return name
    present = experiments()
    if experiment not in present:
        close = difflib.get_close_matches(experiment, present, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"Expected --config to be the path of a file or one of {', '.join(present)}. "
            f"Received: {experiment}{meant}"
        )
    return f"{present[experiment]}{colon}{argument}"


def with_config_paths(arguments: list[str]) -> list[str]:
    """Replaces the experiment's name in `--config=NAME` or `--config NAME` with its file's path."""
    result = list(arguments)
    for index, argument in enumerate(arguments):
        if match := re.fullmatch(r"(--?config=)(.+)", argument):
            result[index] = match[1] + config_path(match[2])
        elif index and re.fullmatch(r"--?config", arguments[index - 1]):
            result[index] = config_path(argument)
    return result
