"""What conversions of an export for other runtimes have in common: checks before and after."""

import contextlib
import os
import sys

import numpy as np
import tensorflow as tf

from inversenet_tf.config import Config
from inversenet_tf.data import open_held_out
from inversenet_tf.engine.workdir import versions
from inversenet_tf.exporting.verification import (
    SIZES,
    StandIn,
    measured_examples,
    of_size,
    operator_for_examples,
)
from inversenet_tf.imaging.config_parsing import valid_config
from inversenet_tf.imaging.files.json import check_fields
from inversenet_tf.imaging.files.paths import taken_literally
from inversenet_tf.imaging.metrics import MetricProfile, psnr
from inversenet_tf.serving.fresh_process import VerificationFailed
from inversenet_tf.serving.saved_models import SERVING_DEFAULT, read_metadata

# Largest difference of an exact file; sums in another order differ by 1e-5.
TOLERANCE = 1e-4
# Of a quantised file's output against the export's, in dB, on each image. Correct files lose
# little: 39 dB or more with four networks trained for minutes on two cores.
LEAST_PSNR = 30.0
BATCH = 3  # size of the one batch that is compared; the other comparisons are of single images
UNROUNDED = MetricProfile(rounding=False)
# What a conversion reads from an export's metadata.
READ = {
    **{"images": dict, "config": dict, "precision": str, "model": str, "task": str},
    **{"checkpoint": dict, "versions": dict},
}


def check_new(output, overwrite):
    """Raises ValueError if a file exists that may not be replaced."""
    if output.is_dir() or (output.exists() and not overwrite):
        raise ValueError(f"Expected a new file (or --overwrite). Received: {output}, which exists.")


def metadata_of_export(saved_model):
    """The metadata of an export that can be converted.

    Raises:
        ValueError: it is of another kind of model, or of a precision other than float32.
    """
    metadata = read_metadata(saved_model)
    if not {"images", "config", "precision"} <= metadata.keys():
        raise ValueError(
            f"Expected the export of an InverseNet's run in {saved_model}. Received: one of a "
            f"{metadata.get('model')}, with less metadata."
        )
    check_fields(metadata, READ, saved_model)
    if metadata["precision"] != "float32":
        raise ValueError(
            "Expected an export of float32, as other runtimes compute: export the run with "
            f"--precision=float32. Received: {metadata['precision']}"
        )
    return metadata


def check(restorer, saved_model, metadata, *, is_exact=True, data=None):
    """Compares a restorer of the converted file with the export, on held-out images.

    The comparison uses the examples as they are, one of them mirrored or cropped to all of `SIZES`,
    and one batch. PSNR against the true images is averaged over the examples; it is None where a
    `StandIn` made the measurements.

    Args:
        restorer: a `Restorer`.
        saved_model: the directory of the export.
        metadata: of the export.
        is_exact: whether the file should differ by rounding alone; False if it was quantised.
        data: a source of images; by default the training's validation source.

    Returns:
        A dict of what was compared, and the results.

    Raises:
        ValueError: images that cannot be used.
        VerificationFailed: a difference above `TOLERANCE` although the file should be exact; or an
            image of less than `LEAST_PSNR` against the export's.
    """
    config = valid_config(Config, metadata["config"], saved_model)
    operator = operator_for_examples(config)
    source = open_held_out(data or config.data.validation, operator, config)
    examples = measured_examples(source, operator, config)
    with taken_literally(saved_model) as literal:
        exported = tf.saved_model.load(str(literal))
    serve = exported.signatures[SERVING_DEFAULT]
    both = (
        restorer.estimates,
        lambda y: {"restored": serve(measurements=tf.constant(y))["restored"]},
    )
    measurements = [measurement[np.newaxis] for measurement, _ in examples]
    measurements += _of_all_sizes(examples, metadata["images"]["scale"])
    compared = [[np.asarray(method(y)["restored"]) for method in both] for y in measurements]
    against_export = [psnr(*pair, UNROUNDED).numpy().min() for pair in compared]
    truths = [image[np.newaxis] for _, image in examples]
    # Restorations of a stand-in's measurements cannot be scored.
    is_known = source.paired or type(operator) is not StandIn
    result = {
        "largest_difference": max(float(np.abs(a - b).max()) for a, b in compared),
        "least_psnr_against_export": float(min(against_export)),
        "psnr": {
            name: _mean_psnr([pair[place] for pair in compared], truths, config.metrics)
            for place, name in enumerate(("converted", "export"))
        }
        if is_known
        else None,
        "image_sides": SIZES,
        "batches": [1, BATCH],
        "metrics": config.metrics.stamp(),
        "data": {"source": source.spec, "images": source.names[: len(examples)]},
    }
    _check_differences(result, is_exact)
    return result


def _of_all_sizes(examples, scale):
    """Measurements [batch, height, width, channels]: one image of each size, then one batch."""
    measurements = [measurement for measurement, _ in examples]
    batches = [of_size(measurements[0], size, scale)[np.newaxis] for size in SIZES]
    several = [measurements[index % len(measurements)] for index in range(BATCH)]
    return [*batches, np.stack([of_size(each, SIZES[0], scale) for each in several])]


def _mean_psnr(restored, truths, profile):
    """The mean PSNR over the examples, which come first among the restored images."""
    pairs = zip(restored, truths, strict=False)
    return float(np.mean([psnr(*pair, profile).numpy() for pair in pairs]))


def _check_differences(result, is_exact):
    largest, least = result["largest_difference"], result["least_psnr_against_export"]
    if is_exact and not largest <= TOLERANCE:
        raise VerificationFailed(
            f"Expected the converted model to differ from the export by at most {TOLERANCE:g}. "
            f"Received: {largest:g}"
        )
    if not least >= LEAST_PSNR:
        raise VerificationFailed(
            f"Expected the converted model to give the export's images at {LEAST_PSNR:g} dB or "
            f"more. Received: {least:.1f} dB"
        )


def bytes_of(directory):
    """The total size of the files that are needed to run a SavedModel."""
    files = [directory / "saved_model.pb", *(directory / "variables").iterdir()]
    return sum(file.stat().st_size for file in files)


def metadata_of_converted(saved_model, exported, **conversion):
    """The metadata of a converted file: those of the export, and those that the conversion adds.

    Args:
        saved_model: the directory of the export.
        exported: the metadata of the export.
        **conversion: what to add about the conversion.
    """
    kept = {name: exported[name] for name in ("model", "task", "images", "checkpoint")}
    return kept | {
        "degradation": exported.get("degradation"),
        "export": {"version": saved_model.name, "versions": exported["versions"]},
        "versions": versions(),
        **conversion,
    }


@contextlib.contextmanager
def silenced():
    """Discards what C++ code writes to the standard error whatever the logging level."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
