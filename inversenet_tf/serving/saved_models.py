"""SavedModels as TF Serving expects them: numbered versions, named signatures and extra files.

MODEL_DIR/1/saved_model.pb, variables/         what is served
MODEL_DIR/1/assets.extra/metadata.json         how it was made
MODEL_DIR/1/assets.extra/tf_serving_warmup_requests
"""

from pathlib import Path

from absl import logging

from inversenet_tf.imaging.files.atomic import check_writable, written_aside
from inversenet_tf.imaging.files.json import read_json, write_json
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.paths import check_utf8
from inversenet_tf.serving.checked_inputs import with_checked_inputs
from inversenet_tf.serving.warmup import write_warmup

SERVING_DEFAULT = "serving_default"
EXTRA = "assets.extra"
METADATA_FILE = f"{EXTRA}/metadata.json"
WARMUP_FILE = f"{EXTRA}/tf_serving_warmup_requests"
SAVED_MODEL_FILE = "saved_model.pb"


def versions_of(directory):
    """{number: path} of the versions in a model's directory, in ascending order; "0001" is 1."""
    directory = Path(directory).expanduser()
    present = sorted(directory.iterdir()) if directory.is_dir() else []
    versions = {int(path.name): path for path in present if path.name.isdecimal() and path.is_dir()}
    return dict(sorted(versions.items()))


def new_version(directory):
    """The path of a model's next version.

    Raises:
        ValueError: the directory is a SavedModel itself, or cannot be written to.
    """
    directory = check_utf8(directory)
    check_writable(directory)
    if (directory / SAVED_MODEL_FILE).exists():
        raise ValueError(
            f"Expected a new directory, or one of numbered versions. Received: {directory}, which "
            "is a SavedModel itself."
        )
    return directory / str(max(versions_of(directory), default=0) + 1)


def latest_version(directory):
    """The latest SavedModel in a model's directory, or the directory if it is one itself.

    A version without a SavedModel, as during copying, is skipped with a warning.

    Raises:
        ValueError: there is no SavedModel.
    """
    directory = check_utf8(directory)
    for place in (*reversed(versions_of(directory).values()), directory):
        if (place / SAVED_MODEL_FILE).is_file():
            return place
        if place != directory:
            logging.warning("No %s in %s: using an older version.", SAVED_MODEL_FILE, place)
    raise ValueError(
        f"Expected a SavedModel, or a directory of numbered versions of one. Received: {directory}"
    )


def read_metadata(saved_model):
    """The metadata that `write_version` stored with a model, a dict.

    Raises:
        ValueError: `write_version` did not write the SavedModel.
    """
    path = Path(saved_model) / METADATA_FILE
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Expected a SavedModel made by tools/export.py. Received: {saved_model}: {error}"
        ) from error


def write_version(directory, signatures, metadata, warmup, check=None):
    """Writes the next version of a model, whole or not at all.

    Args:
        directory: of the model; its versions are folders 1, 2, ... that a running server picks up.
        signatures: {name: (function of tensors to a dict of tensors, list of `tf.TensorSpec`)}; the
            variables of Keras layers that they use are saved with them, and each checks its inputs
            inside its graph, see `with_checked_inputs`.
        metadata: dict that tells how the model was made.
        warmup: list of (signature's name, {input's name: array}), the requests that a server
            answers before it accepts others.
        check: called with the path of the written SavedModel before the version appears under its
            number; its result is added to the metadata as "verification".

    Returns:
        The version's path.

    Raises:
        ValueError: the directory cannot hold versions.
        OSError: it cannot be written to.
    """
    directory = Path(directory).expanduser()
    new_version(directory)  # raises before the work
    import keras  # here, as reading exports does not need it

    archive = keras.export.ExportArchive()
    for name, (function, specs) in signatures.items():
        archive.add_endpoint(name, with_checked_inputs(function, specs), input_signature=specs)
    # Of two exports into one directory, the second waits for its number.
    with (
        held(directory, wait=True),
        written_aside(version := new_version(directory)) as partial,
    ):
        archive.write_out(partial, verbose=False)
        (partial / EXTRA).mkdir()
        warmed_up = write_warmup(partial / WARMUP_FILE, directory.absolute().name, warmup)
        metadata = metadata | {"warmup_requests": warmed_up}
        if check is not None:
            metadata["verification"] = check(partial)
        write_json(partial / METADATA_FILE, metadata)
    return version
