"""Exports a prior's generator, or an estimated operator, as a SavedModel for TF Serving."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from blind_gan_tf.config import InversionConfig
from blind_gan_tf.inversion_files import RECOVERED, SURROGATES
from blind_gan_tf.prior import load_prior
from inversenet_tf.engine.frozen import frozen
from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.engine.workdir import read_config, versions
from inversenet_tf.imaging.files.image_bytes import encoded
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.serving.fresh_process import compare
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, new_version, write_version

TO_BYTES = "generate_bytes"
EXAMPLES = 5
SEED = 0


def export_prior(
    workdir: str | Path,
    output: str | Path,
    precision: str = "float32",
    *,
    verified: bool = False,
    python: str | None = None,
) -> Path:
    """Writes a prior's generator as the next version of a served model, whole or not at all.

    Signatures: `serving_default`, `latents`, float32 [batch, T] -> `images`, [batch, height, width,
    channels] in [0, 1]; `generate_bytes`, the same -> `image_bytes`, string [batch], PNGs. The
    metadata names the distribution of the latents.

    Args:
        workdir: of a prior's training, or whatever else `load_prior` takes.
        output: the model's directory; the version becomes `output/1`, or the next number.
        precision: of the hidden layers in the export.
        verified: whether the export is compared with the model before it appears in its place.
        python: an interpreter with TensorFlow in which it is loaded for that; None for this one.

    Returns:
        The version's path.

    Raises:
        ValueError: no trained prior, or an output that cannot hold versions.
        VerificationFailed: the export differs from the model; nothing was written.
    """
    new_version(output)  # raises before the work
    prior = load_prior(workdir, precision)
    spec = tf.TensorSpec((None, prior.latents.size), tf.float32, "latents")

    generator = tf.function(frozen(prior.generator), input_signature=[spec])

    def generate(latents):
        return {"images": (generator(latents) + 1.0) / 2.0}

    def expected(latents):
        return {"images": prior(latents, training=False)}

    def generate_bytes(latents):
        images = generate(latents)["images"]
        return {"image_bytes": tf.map_fn(encoded, images, fn_output_signature=tf.string)}

    examples = [prior.latents.draw((batch,), [SEED, batch]).numpy() for batch in (1, EXAMPLES)]
    requests = [(SERVING_DEFAULT, {"latents": latents}) for latents in examples]
    metadata = {
        "model": "generator",
        "latents": dataclasses.asdict(prior.latents),
        "image_shape": prior.image_shape,
        "precision": precision,
        "training": prior.training,
        "versions": versions(),
        "verification": None,
    }
    return write_version(
        output,
        {SERVING_DEFAULT: (generate, [spec]), TO_BYTES: (generate_bytes, [spec])},
        metadata,
        warmup=[*requests, (TO_BYTES, requests[0][1])],
        check=_check(expected, requests, precision, python) if verified else None,
    )


def export_surrogate(
    workdir: str | Path,
    output: str | Path,
    group: int | None = None,
    *,
    verified: bool = False,
    python: str | None = None,
) -> Path:
    """Writes an operator that a blind inversion estimated as the next version of a served model.

    Signature `serving_default`: `images`, float32 [batch, height, width, sources * channels] in
    [0, 1], the sources of a mixture stacked along the last axis -> `measurements`, [batch, height,
    width, measured channels], float32 of whatever range the operator has.

    Args:
        workdir: of a blind inversion that has ended.
        group: number of the group of measurements whose operator is exported; required where there
            are several.
        output, verified, python: as for `export_prior`.

    Returns:
        The version's path.

    Raises:
        ValueError: no finished inversion, no such group, or an output that cannot hold versions.
        VerificationFailed: the export differs from the model; nothing was written.
    """
    new_version(output)
    config = read_config(workdir, InversionConfig)
    path = _surrogate_file(workdir, group)
    surrogate = load_keras(path)
    spec = tf.TensorSpec((None, None, None, surrogate.input_shape[-1]), tf.float32, "images")

    def measure(images):
        return {"measurements": tf.cast(surrogate(images, training=False), tf.float32)}

    example = _recovered(workdir, config.problem.sources, surrogate.input_shape[-1])
    requests = [(SERVING_DEFAULT, {"images": example})]
    metadata = {
        "model": "surrogate",
        "group": int(path.stem),
        "config": dataclasses.asdict(config),
        "versions": versions(),
        "verification": None,
    }
    return write_version(
        output,
        {SERVING_DEFAULT: (measure, [spec])},
        metadata,
        warmup=requests,
        check=_check(measure, requests, "float32", python) if verified else None,
    )


def _check(function, requests, precision, python):
    def check(saved_model):
        expected = [
            {name: tensor.numpy() for name, tensor in function(**inputs).items()}
            for _, inputs in requests
        ]
        return compare(saved_model, requests, expected, precision, python)

    return check


def _surrogate_file(workdir, group):
    """The Keras file of a group's surrogate."""
    folder = Path(workdir).expanduser() / SURROGATES
    files = sorted(folder.glob("*.keras"), key=lambda path: int(path.stem))  # 999 before 1000
    if not files:
        raise ValueError(
            "Expected a finished blind inversion, made by tools/invert.py. Received: "
            f"{workdir}, without {SURROGATES}/"
        )
    if group is None and len(files) > 1:
        raise ValueError(
            f"Expected --group, from 0 to {len(files) - 1}: each group of measurements has its "
            "own operator. Received: none"
        )
    group = group or 0
    if not 0 <= group < len(files):
        raise ValueError(f"Expected --group from 0 to {len(files) - 1}. Received: {group}")
    return files[group]


def _recovered(workdir, sources, channels):
    """The images recovered from the first measurement: [1, height, width, channels]."""
    paths = list_images(Path(workdir).expanduser() / RECOVERED)[:sources]
    images = [read_image(path, channels // sources) for path in paths]
    return np.concatenate(images, axis=-1)[np.newaxis]
