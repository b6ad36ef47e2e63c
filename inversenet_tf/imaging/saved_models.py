"""SavedModels as TF Serving wants them: numbered versions, named signatures, files beside them.

MODEL_DIR/1/saved_model.pb, variables/         what is served
MODEL_DIR/1/assets.extra/metadata.json         how it was made
MODEL_DIR/1/assets.extra/tf_serving_warmup_requests
"""

import json
from pathlib import Path

import keras

from inversenet_tf.imaging.atomic import written_aside
from inversenet_tf.imaging.runs import write_json
from inversenet_tf.imaging.warmup import write_warmup

SERVING_DEFAULT = "serving_default"
EXTRA = "assets.extra"
METADATA_FILE = f"{EXTRA}/metadata.json"
WARMUP_FILE = f"{EXTRA}/tf_serving_warmup_requests"
SAVED_MODEL_FILE = "saved_model.pb"


def versions_of(directory):
    """The numbers of the versions in a model's directory, ascending."""
    directory = Path(directory).expanduser()
    numbered = directory.iterdir() if directory.is_dir() else []
    return sorted(int(path.name) for path in numbered if path.name.isdecimal())


def new_version(directory):
    """Where the next version of a model goes.

    Raises:
        ValueError: the directory is a file, or a SavedModel itself.
    """
    directory = Path(directory).expanduser()
    if directory.is_file() or (directory / SAVED_MODEL_FILE).exists():
        raise ValueError(
            f"Expected a new directory, or one of numbered versions. Received: {directory}, which "
            f"is a {'file' if directory.is_file() else 'SavedModel itself'}."
        )
    return directory / str(max(versions_of(directory), default=0) + 1)


def latest_version(directory):
    """The SavedModel in a model's directory, or the directory that is one itself.

    Raises:
        ValueError: there is none.
    """
    directory = Path(directory).expanduser()
    versions = versions_of(directory)
    found = directory / str(versions[-1]) if versions else directory
    if not (found / SAVED_MODEL_FILE).is_file():
        raise ValueError(
            "Expected a SavedModel, or a directory of numbered versions of one. Received: "
            f"{directory}"
        )
    return found


def read_metadata(saved_model):
    """What `write_version` was told of a model: a dict.

    Raises:
        ValueError: the SavedModel was not written by it.
    """
    path = Path(saved_model) / METADATA_FILE
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(
            f"Expected a SavedModel of tools/export.py. Received: {saved_model}: {error}"
        ) from error


def write_version(directory, signatures, metadata, warmup, check=None):
    """Writes the next version of a model, whole or not at all.

    Args:
        directory: of the model; its versions are folders 1, 2, ... that a running server picks up.
        signatures: {name: (function of tensors to a dict of tensors, list of `tf.TensorSpec`)}; the
            variables of Keras layers that they use are saved with them.
        metadata: dict of how the model was made.
        warmup: list of (signature's name, {input's name: array}), what a server is to answer
            before it takes requests.
        check: callable of the path of the written SavedModel, called before the version appears
            under its number; what it returns is added to the metadata as "verification".

    Returns:
        The version's path.

    Raises:
        ValueError: the directory cannot hold versions.
        OSError: it cannot be written to.
    """
    version = new_version(directory)
    archive = keras.export.ExportArchive()
    for name, (function, specs) in signatures.items():
        archive.add_endpoint(name, function, input_signature=specs)
    with written_aside(version) as partial:
        archive.write_out(partial, verbose=False)
        (partial / EXTRA).mkdir()
        model_name = Path(directory).expanduser().absolute().name
        warmed_up = write_warmup(partial / WARMUP_FILE, model_name, warmup)
        metadata = metadata | {"warmup_requests": warmed_up}
        if check is not None:
            metadata["verification"] = check(partial)
        write_json(partial / METADATA_FILE, metadata)
    return version
