"""Which images and weights a run is reported with, and where its results are kept.

The rule: images that are reported have had no part in any choice. The validation images choose the
best checkpoint, so it is measured on the test images, or on others that the caller names; if a run
has no test images, the weights of the last step are measured on the validation images.
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
# The fields that are read of results; their methods are checked one by one.
READ = {
    "checkpoint": {"step": int},
    "methods": dict,
    "config": {"training": {"precision": str}},
    **{"data": dict, "degradation": str, "number_of_images": int},
    **{"metrics": dict, "versions": dict},
}


@dataclasses.dataclass(frozen=True)
class Reported:
    """What a run is measured on, and with which weights.

    Attributes:
        spec: of the images.
        role: `TEST`, `VALIDATION` or `OTHER`: what they are to the run.
        which: the checkpoint, "best" or "last".
        is_own: whether the images are those that the run reports.
        is_usual: whether the checkpoint is the one that the rule picks.
    """

    spec: str
    role: str
    which: str
    is_own: bool
    is_usual: bool

    def chosen_by(self, config: Config) -> str:
        """Says, for the results, by what the measured weights were chosen."""
        if self.which == "last":
            return "nothing: they are those of the last step"
        images = ", the images that are reported" if self.role == VALIDATION else ""
        return f"PSNR on the validation images, {config.data.validation}{images}"


def reported(
    workdir: Path, config: Config, data: str | None = None, which: str | None = None
) -> Reported:
    """Returns the images and the checkpoint to measure, by the rule unless the caller names them.

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
    """Returns the results of the weights of a step on the run's own images, or None.

    Results of early versions do not say which images were asked for, and are ignored.

    Args:
        workdir: of the run.
        step: training step of the weights.

    Raises:
        ValueError: the file was edited and no longer holds what is read from it.
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
    """Names the caller's operator and noise in words, where the run was trained with others."""
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
    """Returns the directory of results, a different one for everything that may be measured.

    Args:
        workdir: of the run.
        what: the images and the checkpoint.
        first: the number of images, if limited; None for all.
        changes: what `changes_of` returned.
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
    """Eight hexadecimal digits of the hash of a text or of bytes."""
    return hashlib.sha256(os.fsencode(content)).hexdigest()[:8]
