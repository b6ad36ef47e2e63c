"""The work directory of a calibration: what it holds, and what has been done already."""

from pathlib import Path

import numpy as np

from inversenet_tf.imaging.files.arrays import read_array
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import NUMBER, check_fields, read_json, write_json
from inversenet_tf.imaging.files.paths import check_utf8
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate

FACTS = "calibration.json"
KINDS = {  # of the facts that may be known
    "settings": dict,
    "estimate": {"noise": NUMBER, "confidence": NUMBER, "reason": str},
    "seconds_per_step": NUMBER,
    "steps_per_epoch": int,
    "exported_steps": int,
    "restored_after_steps": int,
    "images": str,
    "finished": {"minutes": NUMBER},
}


class Place:
    """The paths of a calibration's files, and the facts known so far.

    Raises:
        ValueError: the stored facts were edited and are invalid.

    Attributes:
        kernel, kernels: `.npy` files of the estimate, and of the plausible kernels, of which it is
            the first.
        at_once, restored: folders of restorations by the model and by the specialised network.
        training: work directory of the specialised network's training.
        export: the served model's directory of versions.
        report: the page of results.
        facts: dict of what is known so far; `keep` adds to it.
    """

    def __init__(self, workdir: Path):
        self.workdir = check_utf8(workdir)
        self.kernel, self.kernels = self.workdir / "kernel.npy", self.workdir / "kernels.npy"
        self.at_once, self.restored = self.workdir / "at_once", self.workdir / "restored"
        self.training, self.export = self.workdir / "training", self.workdir / "export"
        self.report = self.workdir / "report.html"
        path = self.workdir / FACTS
        self.facts = read_json(path) if path.is_file() else {}
        check_fields(self.facts, {n: k for n, k in KINDS.items() if n in self.facts}, path)

    def begin(self, identity: dict) -> None:
        """Records the settings in a new place, or checks those of an old one.

        Raises:
            ValueError: the place was begun with other settings.
        """
        begun = self.facts.get("settings")
        if begun is None:
            self.keep(settings=identity)
            return
        differing = [name for name, value in identity.items() if begun.get(name) != value]
        if differing:
            raise ValueError(
                f"Expected {self.workdir} to hold the calibration of these measurements. Received: "
                f"one that differs in {', '.join(differing)}. Choose another --workdir."
            )

    def keep(self, **facts) -> None:
        """Adds facts to those that are stored."""
        self.facts = self.facts | facts
        write_json(self.workdir / FACTS, self.facts)

    def keep_estimate(self, estimate: KernelEstimate) -> None:
        """Stores the estimate that the search has found."""
        for path, array in ((self.kernel, estimate.kernel), (self.kernels, estimate.plausible)):
            with written_aside(path) as partial:
                np.save(partial, array)
        names = ("noise", "confidence", "reason", "spread")
        self.keep(estimate={name: getattr(estimate, name) for name in names})

    def estimate(self) -> KernelEstimate | None:
        """The stored estimate; None if the search has not ended yet."""
        known = self.facts.get("estimate")
        if known is None:
            return None
        return KernelEstimate(
            read_array(self.kernel),
            known["noise"],
            known["confidence"],
            known["reason"],
            read_array(self.kernels),
        )
