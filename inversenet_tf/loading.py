"""Loads a restorer from a work directory, an export, a converted file, a preset or a server."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from inversenet_tf.imaging.files.paths import check_named, check_utf8
from inversenet_tf.restoration import closed_form
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.restorers import Restorer
from inversenet_tf.shipped import preset_or_path, presets

if TYPE_CHECKING:
    from inversenet_tf.imaging.physics.image_model import ImageModel

LITERT_SUFFIX, ONNX_SUFFIX = ".tflite", ".onnx"


def load(
    where: str | Path,
    which: str = "best",
    *,
    trusted: bool = False,
    image_model: "ImageModel | None" = None,
) -> Restorer:
    """Loads a trained model for use.

    Args:
        where: a work directory of `train`; an export, or its directory of versions; a file of
            `convert` that ends in `.tflite` (LiteRT) or `.onnx`; a served model as
            "http://host:8501/MODEL" (https, or grpc://host:8500/MODEL); the name of a preset, one
            of `presets()`; or "closed_form", which needs no training, for photographs whose kernel
            is known.
        which: for a work directory, the checkpoint: "best" by validation PSNR, or "last".
        trusted: for an export, whether its graphs may do more than compute. An export is a program,
            and refused if its graphs do and it is not trusted, see `serving.operations`.
        image_model: for "closed_form", a model of images that are of one class and framed alike,
            with a circular blur.

    Returns:
        A `Restorer`, a function of arrays. All kinds have the same methods and restore alike.

    Raises:
        ValueError: `where` is none of these, or an image model is passed with anything but
            "closed_form".
    """
    if image_model is not None:
        return _of_class(where, image_model)
    if address := re.fullmatch(r"(https?|grpc)://([^/]+)/(.+)", str(where)):
        return _served(*address.groups())
    if str(where) == closed_form.NAME:
        return closed_form.ClosedFormRestorer()
    check_named(where)
    path = preset_or_path(where)
    if path.suffix == LITERT_SUFFIX and path.is_file():
        check_utf8(path)
        from inversenet_tf.exporting.lite import LiteRestorer  # needs the converter's packages

        return LiteRestorer(path)
    if path.suffix == ONNX_SUFFIX and path.is_file():
        check_utf8(path)
        from inversenet_tf.exporting.onnx import OnnxRestorer  # needs the converter's packages

        return OnnxRestorer(path)
    if (path / "config.json").is_file():
        # Imported here, as an export needs no networks.
        from inversenet_tf.trained_run import kept_bytes_per_pixel, kept_degradation, load_trained

        model, config, _ = load_trained(path, which)
        known = kept_degradation(path, config, which), kept_bytes_per_pixel(path)
        return ModelRestorer(model, *known)
    if path.is_dir():
        return ExportedRestorer(path, trusted)
    raise ValueError(
        "Expected a work directory, an export, a .tflite file or an .onnx file, a served model as "
        f"http://host:8501/MODEL, or one of {', '.join(presets())} and {closed_form.NAME}. "
        f"Received: {where}"
    )


def _of_class(where, image_model):
    if str(where) != closed_form.NAME:
        raise ValueError(
            f"Expected an image model only with {closed_form.NAME}, as a network has learned by "
            f"itself what images look like. Received: one with {where}"
        )
    from inversenet_tf.restoration.image_model_restorer import ImageModelRestorer  # needs SciPy

    return ImageModelRestorer(image_model)


def _served(scheme, host, model):
    from inversenet_tf.client.connection import connect
    from inversenet_tf.client.served_restorer import ServedRestorer

    server = f"https://{host}" if scheme == "https" else host
    model = model.removeprefix("v1/models/")
    return ServedRestorer(connect(server, model, protocol="grpc" if scheme == "grpc" else "rest"))
