"""Which images and weights a run is reported with, and where its results are kept.

The rule: no image that is reported has chosen anything. The best checkpoint is chosen by the
validation images. So it is measured on the test images, or on others that the caller names; where a
run has no test images, the weights of the last step are measured on those of the validation.
"""

import dataclasses
import hashlib
import os
import re
from pathlib import Path

import numpy as np

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.workdir import CHECKPOINTS
from inversenet_tf.imaging.config import CUSTOM, NoiseConfig
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json
from inversenet_tf.imaging.files.paths import canonical_source

RESULTS_FILE = "results.json"
EVALUATIONS = "evaluations"  # directory of all but the run's own results
LONGEST_NAME = 40  # characters of a source that name its results
TEST, VALIDATION, OTHER = "test", "validation", "other"
# What is read of results, besides their methods.
READ = {
    "checkpoint": {"step": int},
    "methods": dict,
    "config": {"training": {"precision": str}},
    **{"data": dict, "degradation": str, "number_of_images": int},
    **{"metrics": dict, "versions": dict},
}


@dataclasses.dataclass(frozen=True)
class Reported:
    """What is measured.

    Attributes:
        spec: of the images.
        role: `TEST`, `VALIDATION` or `OTHER`: what they are to the run.
        which: the checkpoint, "best" or "last".
        is_own: whether the images are those that the run reports.
        is_usual: whether the checkpoint is the one of the rule.
    """

    spec: str
    role: str
    which: str
    is_own: bool
    is_usual: bool

    def chosen_by(self, config: Config) -> str:
        """What the weights that are measured were chosen by, for a result to tell."""
        if self.which == "last":
            return "nothing: they are those of the last step"
        images = ", the images that are reported" if self.role == VALIDATION else ""
        return f"PSNR on the validation images, {config.data.validation}{images}"


def reported(
    workdir: Path, config: Config, data: str | None = None, which: str | None = None
) -> Reported:
    """The images and the checkpoint to measure, by the rule above where the caller names none.

    Args:
        workdir: of the run.
        config: of the run.
        data: a source that the caller names, or None.
        which: a checkpoint that the caller names, or None.
    """
    own = config.data.test or config.data.validation
    spec = own if data is None or _is_same(data, own) else data
    role = OTHER
    if _is_same(spec, config.data.validation):
        role = VALIDATION
    elif _is_same(spec, config.data.test):
        role = TEST
    usual = "last" if role == VALIDATION and _has_last(workdir) else "best"
    chosen = which or usual
    return Reported(spec, role, chosen, spec == own, chosen == usual)


def own_results(workdir: str | Path, step: int) -> dict | None:
    """The content of `results.json` of the weights of a step on the run's own images, or None.

    What an early version wrote does not say which images it was asked for, and counts as none.

    Args:
        workdir: of the run.
        step: that the weights are of.

    Raises:
        ValueError: the file was edited, and holds no longer what is read of it.
    """
    workdir = Path(workdir).expanduser()
    places = (workdir, *(workdir / EVALUATIONS / which for which in ("best", "last")))
    for path in (place / RESULTS_FILE for place in places):
        results = read_json(path) if path.is_file() else {}
        is_own = results.get("is_own", results.get("is_own_validation"))  # its earlier name
        if is_own:
            check_fields(results, READ, path)
            each = dict.fromkeys(results["methods"], {"psnr": NUMBER, "ssim": NUMBER})
            check_fields(results["methods"], each, path, "methods.")
            if results["checkpoint"]["step"] == step:
                return results
    return None


def changes_of(config: Config, operator, noise) -> list[str]:
    """Words for what the caller measures with, where the run was trained with something else."""
    words = []
    if operator is not None and config.operator.name != CUSTOM:
        kernel = b"" if operator.kernel is None else np.asarray(operator.kernel).tobytes()
        words.append(f"operator-{_mark(kernel)}")
    if isinstance(noise, NoiseConfig) and noise != config.noise:
        words.append(f"noise-{_mark(repr(noise))}")
    elif callable(noise) and not config.noise.custom:
        words.append("other-noise")
    return words


def place_of(workdir: Path, what: Reported, first: int | None, changes: list[str]) -> Path:
    """The directory of results, which tells all from each other that may be asked for.

    Args:
        workdir: of the run.
        what: is measured.
        first: so many images alone; None for all.
        changes: of `changes_of`.
    """
    words = []
    if not what.is_own:
        place = canonical_source(what.spec)
        name = re.sub(r"[^\w.]+", "-", place)[-LONGEST_NAME:].strip("-.")
        words.append(f"{name}-{_mark(place)}")
    if first is not None:
        words.append(f"first-{first}")
    if not what.is_usual:
        words.append(what.which)
    words += changes
    return workdir / EVALUATIONS / "-".join(words) if words else workdir


def _is_same(spec, other):
    return bool(other) and canonical_source(spec) == canonical_source(other)


def _has_last(workdir):
    return checkpoints.latest(Path(workdir) / CHECKPOINTS / "last") is not None


def _mark(content):
    """Eight digits that differ where texts or bytes do."""
    return hashlib.sha256(os.fsencode(content)).hexdigest()[:8]
