"""A trained InverseNet as a SavedModel for TF Serving: any batch, any size, tensors or files."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from inversenet_tf.engine.workdir import versions
from inversenet_tf.evaluation import degradation_of, own_results
from inversenet_tf.exporting import verification
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.config import PRECISIONS
from inversenet_tf.imaging.files.image_bytes import restored_bytes
from inversenet_tf.imaging.files.images import PILLOW_MODES
from inversenet_tf.imaging.inputs import as_told
from inversenet_tf.models import kernel_use
from inversenet_tf.restoration.restorers import (
    DESCRIBE,
    FROM_BYTES,
    FROM_BYTES_WITH_KERNEL,
    INTERMEDIATE,
    WITH_KERNEL,
    spec_of,
)
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, new_version, write_version
from inversenet_tf.trained_run import kept_degradation, load_trained

WARMUP_SIDES = (64, 256)  # of images; what a server has not seen yet takes it longer, once


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
        The version's path; its signatures are those of `signatures_of`.

    Raises:
        ValueError: no trained run, or an output that cannot hold versions.
        VerificationFailed: the export differs from the model; nothing was written.
    """
    check_choice("precision", precision, PRECISIONS)
    new_version(output)  # raises before the work
    model, config, step = load_trained(workdir, which, precision)
    degradation = kept_degradation(workdir, config, which)

    def check(saved_model):
        return verification.verify(
            saved_model, model, config, workdir, precision=precision, data=data, python=python
        )

    metadata = {
        "task": degradation_of(config),
        "degradation": None if degradation is None else dataclasses.asdict(degradation),
        "precision": precision,
        "checkpoint": {"which": which, "step": step},
        "config": dataclasses.asdict(config),
        "scores": _scores(workdir, which, step),
    }
    return export_model(model, output, metadata, check if verify else None)


def export_model(model, output, metadata=None, check=None):
    """Writes an `InverseNet` as the next version of a served model, whole or not at all.

    Args:
        model: an `InverseNet`.
        output, check: as for `write_version`.
        metadata: dict of what is known of the model besides its images and the versions; its
            "degradation" is what a `Degradation` says as a dict.

    Returns:
        The version's path.

    Raises:
        ValueError: an output that cannot hold versions.
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


def signatures_of(model, degradation=None):
    """The signatures of an `InverseNet`, as `write_version` takes them.

    Padding and bicubic upsampling are inside their graphs, which need nothing of this package, and
    so are the weights, as constants; see `InverseNet.frozen_restore`.

    - `serving_default`: `measurements`, float32 [batch, height, width, channels] in [0, 1] ->
      `restored`, [batch, height * scale, width * scale, image channels] of the same range;
    - `restore_with_intermediate`: also `inverted`, the inverter's estimate z (where there is no
      denoiser, the restored image once more);
    - `restore_bytes`: `image_bytes`, string [batch], each a PNG or JPEG of any size ->
      `restored_bytes`, string [batch], PNGs; see `image_bytes.restored_bytes`.

    Of a model that can be told the kernel of a blur also

    - `restore_with_kernel`: `measurements`, `kernels`, float32 [batch, kernel height, kernel width]
      of sum 1 and any size, and `noise_sigmas`, float32 [batch] -> `restored` and `inverted`;
    - `restore_bytes_with_kernel`: the same for `image_bytes`.

    One that requires it has these two alone, and `serving_default`, which is the first of them.

    Where the degradation is known that the model restores, as a dict, a client learns it from

    - `describe`: `asked_bytes`, string [batch], whatever they are -> `description_bytes`, string
      [batch], the same JSON for each.
    """
    channels = model.measured_channels
    measurements = tf.TensorSpec((None, None, None, channels), tf.float32, "measurements")
    image_bytes = tf.TensorSpec((None,), tf.string, "image_bytes")
    kernels = tf.TensorSpec((None, None, None), tf.float32, "kernels")
    noise_sigmas = tf.TensorSpec((None,), tf.float32, "noise_sigmas")

    estimates = tf.function(model.frozen_restore(), reduce_retracing=True, autograph=False)

    def restore(measurements):
        return {"restored": estimates(measurements)["restored"]}

    def restore_with_intermediate(measurements):
        outputs = estimates(measurements)
        return {"inverted": outputs["restored"]} | outputs

    def restore_files(image_bytes):
        restored = restored_bytes(image_bytes, lambda y: restore(y)["restored"], channels)
        return {"restored_bytes": restored}

    def told_of(measurements, kernels, noise_sigmas):
        sides, greatest = tf.shape(kernels)[1:3], tf.shape(measurements)[1:3] * model.scale
        expected = "Expected kernels no larger than the image. Received: sides"
        fits = tf.debugging.Assert(tf.reduce_all(sides <= greatest), [expected, sides, greatest])
        with tf.control_dependencies([fits]):
            return as_told(tf.identity(measurements), tf.identity(kernels), noise_sigmas)

    def restore_with_kernel(measurements, kernels, noise_sigmas):
        return restore_with_intermediate(told_of(measurements, kernels, noise_sigmas))

    def restore_files_with_kernel(image_bytes, kernels, noise_sigmas):
        def restore_one(measurements, kernel, noise_sigma):
            return restore(told_of(measurements, kernel, noise_sigma))["restored"]

        told = kernels, noise_sigmas
        return {"restored_bytes": restored_bytes(image_bytes, restore_one, channels, told)}

    description = json.dumps(degradation)

    def describe(asked_bytes):
        return {"description_bytes": tf.fill(tf.shape(asked_bytes), tf.constant(description))}

    asked_bytes = tf.TensorSpec((None,), tf.string, "asked_bytes")
    described = {} if degradation is None else {DESCRIBE: (describe, [asked_bytes])}
    with_own = {
        SERVING_DEFAULT: (restore, [measurements]),
        INTERMEDIATE: (restore_with_intermediate, [measurements]),
        FROM_BYTES: (restore_files, [image_bytes]),
    }
    told = {
        WITH_KERNEL: (restore_with_kernel, [measurements, kernels, noise_sigmas]),
        FROM_BYTES_WITH_KERNEL: (restore_files_with_kernel, [image_bytes, kernels, noise_sigmas]),
    }
    if model.kernel_use == kernel_use.REQUIRED:
        return {SERVING_DEFAULT: told[WITH_KERNEL]} | told | described
    if model.kernel_use == kernel_use.OPTIONAL:
        return with_own | told | described
    return with_own | described


def _scores(workdir, which, step):
    """What was measured of the same weights in the run's own validation, the means, or None."""
    results = own_results(workdir, which) or {}
    if results.get("checkpoint") != {"which": which, "step": step}:
        return None
    means = {
        method: {"psnr": scores["psnr"], "ssim": scores["ssim"]}
        for method, scores in results["methods"].items()
    }
    kept = ("data", "degradation", "number_of_images", "metrics", "versions")
    precision = results["config"]["training"]["precision"]
    return {"methods": means, "precision": precision} | {name: results[name] for name in kept}


def _warmup(spec):
    """One request for each signature, size and kind of file, of gray images."""
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
    return requests
