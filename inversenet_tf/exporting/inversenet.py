"""Exports a trained InverseNet as a SavedModel for TF Serving: any batch, any size."""

import dataclasses
import io
from pathlib import Path

import numpy as np
from PIL import Image

from inversenet_tf.engine.workdir import versions
from inversenet_tf.evaluation import degradation_of
from inversenet_tf.exporting import verification
from inversenet_tf.exporting.signatures import signatures_of
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config import CUSTOM, PRECISIONS
from inversenet_tf.imaging.files.images import PILLOW_MODES
from inversenet_tf.models import kernel_use
from inversenet_tf.reporting import own_results
from inversenet_tf.restoration.image_spec import spec_of
from inversenet_tf.restoration.signature_names import (
    FROM_BYTES,
    FROM_BYTES_WITH_KERNEL,
    INTERMEDIATE,
    WITH_KERNEL,
)
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, new_version, write_version
from inversenet_tf.trained_run import kept_degradation, kept_operator, load_trained

WARMUP_SIDES = (64, 256)  # of images; a server takes longer for its first request of a size


def export_run(
    workdir: str | Path,
    output: str | Path,
    which: str = "best",
    precision: str = "float32",
    *,
    verify: bool = False,
    data: str | None = None,
    python: str | None = None,
) -> Path:
    """Writes a trained run as the next version of a served model, whole or not at all.

    Args:
        workdir: of a run of `train`.
        output: the model's directory; the version becomes `output/1`, or the next number.
        which: checkpoint, "best" or "last".
        precision: of the hidden layers in the export, one of `PRECISIONS`.
        verify: whether the export is compared with the model before it appears in its place.
        data, python: as for `verification.verify`.

    Returns:
        The version's path; its signatures are those of `signatures.signatures_of`.

    Raises:
        ValueError: no trained run, or an output that cannot hold versions.
        VerificationFailed: the export differs from the model; nothing was written.
    """
    check_choice("precision", precision, PRECISIONS)
    new_version(output)  # raises before the work
    model, config, step = load_trained(workdir, which, precision)
    degradation = kept_degradation(workdir, config, which)
    operator = None if config.operator.name == CUSTOM else kept_operator(workdir, config)

    def check(saved_model):
        return verification.verify(
            saved_model, model, config, workdir, precision=precision, data=data, python=python
        )

    metadata = {
        "task": degradation_of(config, operator),
        "degradation": None if degradation is None else dataclasses.asdict(degradation),
        "precision": precision,
        "checkpoint": {"which": which, "step": step},
        "config": dataclasses.asdict(config),
        "scores": _scores(workdir, step),
    }
    return export_model(model, output, metadata, check if verify else None)


def export_model(model, output, metadata=None, check=None):
    """Writes an `InverseNet` as the next version of a served model, whole or not at all.

    Args:
        model: an `InverseNet`.
        output, check: as for `write_version`.
        metadata: dict of what is known about the model besides its `ImageSpec` and the versions;
            its "degradation" is a `Degradation` as a dict.

    Returns:
        The version's path.

    Raises:
        ValueError: an output that cannot hold versions, or a model for images of one size only.
    """
    spec = spec_of(model)
    described = {
        "model": "InverseNet",
        "images": dataclasses.asdict(spec),
        "versions": versions(),
        "verification": None,
    }
    metadata = described | (metadata or {})
    signatures = signatures_of(model, metadata.get("degradation"))
    return write_version(output, signatures, metadata, _warmup(spec), check)


def _scores(workdir, step):
    """Mean scores of the same weights on the run's own images; None if they were not evaluated."""
    results = own_results(workdir, step)
    if results is None:
        return None
    means = {
        method: {"psnr": scores["psnr"], "ssim": scores["ssim"]}
        for method, scores in results["methods"].items()
    }
    kept = ("data", "degradation", "number_of_images", "metrics", "versions")
    precision = results["config"]["training"]["precision"]
    return {"methods": means, "precision": precision} | {name: results[name] for name in kept}


def _warmup(spec):
    """Requests with gray images of each size, as tensors and as a PNG and a JPEG file.

    Where a kernel is optional, they are followed by a tensor and a PNG with one.
    """
    requests = []
    point = {"kernels": np.ones((1, 1, 1), np.float32), "noise_sigmas": np.zeros(1, np.float32)}
    told = point if spec.kernel == kernel_use.REQUIRED else {}
    for side in WARMUP_SIDES:
        side = max(side // spec.scale, 1)
        gray = np.full((1, side, side, spec.measured_channels), 0.5, np.float32)
        tensors = (SERVING_DEFAULT, WITH_KERNEL if told else INTERMEDIATE)
        requests += [(name, {"measurements": gray} | told) for name in tensors]
        picture = Image.new(PILLOW_MODES[spec.measured_channels], (side, side), "gray")
        for kind in ("PNG", "JPEG"):
            file = io.BytesIO()
            picture.save(file, kind)
            files = {"image_bytes": np.array([file.getvalue()], object)}
            requests.append((FROM_BYTES_WITH_KERNEL if told else FROM_BYTES, files | told))
            if spec.kernel == kernel_use.OPTIONAL and kind == "PNG":
                requests.append((WITH_KERNEL, {"measurements": gray} | point))
                requests.append((FROM_BYTES_WITH_KERNEL, files | point))
    return requests
