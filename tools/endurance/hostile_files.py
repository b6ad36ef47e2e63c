"""Mutated files of every kind that this project reads, as untrusted files may be."""

import dataclasses
import functools
import io
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import tensorflow as tf
from PIL import Image

from inversenet_tf.config import Config
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.keras_files import load_keras
from inversenet_tf.engine.workdir import CONFIG_FILE
from inversenet_tf.imaging.config_parsing import config_from_dict
from inversenet_tf.imaging.data.prepared import Prepared
from inversenet_tf.imaging.files.arrays import read_array, read_arrays
from inversenet_tf.imaging.files.images import decoded_size, read_image
from inversenet_tf.imaging.files.json import read_json
from inversenet_tf.imaging.files.photographs import read_photograph
from inversenet_tf.imaging.physics.kernels import from_file
from inversenet_tf.imaging.physics.spectra import Spectrum
from inversenet_tf.models.perceptual.weights import read_weights, write_h5
from inversenet_tf.models.presets import SPECTRUM_FILE, kept_spectrum
from inversenet_tf.reporting import RESULTS_FILE, own_results
from inversenet_tf.restoration.image_spec import degradation_from, spec_from
from inversenet_tf.serving.operations import check_operations
from inversenet_tf.shipped import preset_folder
from inversenet_tf.trained_run import kept_degradation, load_trained

SECONDS = 5.0  # of processor time for reading one, in this process and its children
WAITED = 60.0  # seconds in all, whatever else the machine does
LARGE = (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", bytes(4), b"99999999")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file that one reader reads.

    Attributes:
        name: of the file, with the suffix that readers go by.
        seeds: function that returns a list of bytes, each the content of a valid file.
        read: function of its path; raises ValueError if the file is not valid.
    """

    name: str
    seeds: Callable
    read: Callable


def images():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    deep = Image.fromarray(np.arange(480, dtype=np.uint16).reshape(24, 20) * 130)
    files = [_saved(deep, "PNG"), _saved(deep, "TIFF")]
    for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000"):
        files.append(_saved(Image.fromarray(pixels), kind))
    return files


def _saved(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def _made(write, name="file"):
    """Returns the content of what a function writes to a path."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, name)
        write(path)
        return path.read_bytes()


KERNEL = np.ones((3, 4)) / 12


def arrays():
    return [_made(lambda p, a=a: np.save(p, a), "a.npy") for a in (KERNEL, np.uint8(KERNEL))]


def archives():
    return [_made(lambda p: np.savez(p, a=KERNEL, b=np.arange(5)), "a.npz")]


def matlab():
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = KERNEL, np.eye(3)
    variables = [{"k": KERNEL}, {"k": cells}, {"k": {"a": 1}, "note": "text", "f": KERNEL}]
    return [_made(lambda p, v=v: scipy.io.savemat(p, v), "a.mat") for v in variables]


def hdf5():
    def write_compressed(path):
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"fc"]
            file.create_group("fc").attrs["weight_names"] = [b"k"]
            file["fc"].create_dataset("k", data=np.eye(8), chunks=(4, 4), compression="gzip")

    plain = _made(lambda p: write_h5(p, {"fc": [np.eye(4), np.ones(4)]}), "a.h5")
    return [plain, _made(write_compressed, "a.h5")]


def configs():
    return [json.dumps(dataclasses.asdict(Config())).encode()]


def metadata():
    images = {"measured_channels": 3, "image_channels": 3, "scale": 1, "multiple": 2}
    images |= {"boundary": "circular", "bytes_per_pixel": 99.5, "kernel": "none"}
    known = {"kernel": [[0.25, 0.75]], "scale": 1, "to_gray": False, "noise_sigma": 0.01}
    return [json.dumps({"images": images, "degradation": known}).encode()]


def indices():
    shard = {"file": "shard-00000.array_record", "count": 2, "bytes": 100, "sha256": "ab"}
    index = {"format": 1, "source": "folder:a", "shard_mib": 256, "count": 2, "shards": [shard]}
    return [json.dumps(index | {"images": [["a", 4, 4], ["b", 4, 4]], "skipped": {}}).encode()]


def spectra():
    return [json.dumps(dataclasses.asdict(Spectrum())).encode()]


def results():
    stamp = {
        "metrics": {},
        "versions": {},
        "data": {},
        "number_of_images": 1,
        "degradation": "blur",
    }
    scores = {"methods": {"restored": {"psnr": 30.0, "ssim": 0.9, "per_image": []}}, "is_own": True}
    return [
        json.dumps(
            stamp
            | scores
            | {"checkpoint": {"step": 2}, "config": {"training": {"precision": "float32"}}}
        ).encode()
    ]


def runs():
    """The config of a preset, with whose folder it is loaded."""
    return [(preset_folder("any_blur") / CONFIG_FILE).read_bytes()]


def scores_of_checkpoints():
    return [json.dumps({"val_psnr_restored": 30.0, "seconds": 3.5, "unexplained": 0.1}).encode()]


STEP, INDEX = "step-00000002", "state.index"


@functools.cache
def checkpoint():
    """{name: content} of the files of a small checkpoint."""
    with tempfile.TemporaryDirectory() as directory:
        checkpoints.save({"weights": tf.Variable(KERNEL)}, 2, directory)
        return {path.name: path.read_bytes() for path in Path(directory, STEP).iterdir()}


def _read_checkpoint(path):
    """Reads a checkpoint with a mutated index."""
    step = path.parent / "checkpoints" / STEP
    step.mkdir(parents=True, exist_ok=True)
    for name, content in checkpoint().items():
        (step / name).write_bytes(path.read_bytes() if name == INDEX else content)
    try:
        checkpoints.restore_part({"weights": tf.Variable(KERNEL)}, step.parent)
    except OSError as error:  # also the package's own: it says which checkpoint, and why
        raise ValueError(str(error)) from error


def keras_files():
    import keras

    def write(path):
        inputs = keras.Input((3,))
        keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(path)

    stored = io.BytesIO()  # unpacked, so that mutations meet what is inside
    packed = io.BytesIO(_made(write, "a.keras"))
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(stored, "w") as copy:
        for member in archive.namelist():
            copy.writestr(member, archive.read(member))
    return [stored.getvalue()]


def graphs():
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    node = content.meta_graphs.add().graph_def.node.add()
    node.name, node.op = "a", "Identity"
    return [content.SerializeToString()]


def _read_image(path):
    for read in (decoded_size, read_image, read_photograph):
        read(path)


def _read_metadata(path):
    content = read_json(path)
    if "images" in content:  # as a restorer asks before it reads more
        spec_from(content)
        degradation_from(content)


def _read_run(path):
    """Reads the folder of a preset with a mutated config; this builds its networks."""
    for belonging in preset_folder("any_blur").iterdir():
        if belonging.name != CONFIG_FILE:
            shutil.copyfile(belonging, path.with_name(belonging.name))
    model, config, _ = load_trained(path.parent)
    kept_degradation(path.parent, config)


KINDS = {
    "images": Kind("a.png", images, _read_image),
    "arrays": Kind("a.npy", arrays, read_array),
    "archives": Kind("a.npz", archives, read_arrays),
    "kernels": Kind("a.npy", arrays, from_file),
    "hdf5": Kind("a.h5", hdf5, read_weights),
    "configs": Kind("a.json", configs, lambda p: config_from_dict(Config, read_json(p)).validate()),
    "runs": Kind(CONFIG_FILE, runs, _read_run),
    "spectra": Kind(SPECTRUM_FILE, spectra, lambda p: kept_spectrum(p.parent)),
    "results": Kind(RESULTS_FILE, results, lambda p: own_results(p.parent, 2)),
    "scores": Kind("scores.json", scores_of_checkpoints, lambda p: checkpoints.scores(p.parent)),
    "checkpoints": Kind(INDEX, lambda: [checkpoint()[INDEX]], _read_checkpoint),
    "metadata": Kind("a.json", metadata, _read_metadata),
    "prepared": Kind("index.json", indices, lambda p: Prepared(p.parent, 3, 1)),
    "graphs": Kind("saved_model.pb", graphs, lambda p: check_operations(p.parent)),
    "keras": Kind("a.keras", keras_files, load_keras),
    "matlab": Kind("a.mat", matlab, from_file),
}
# Values that replace others in a JSON file.
ODD = (None, True, -1, 0, 2**31, 10**400, 1e308, -0.5, "", "unknown", [], [[]], {}, [1, [2]], "nan")
TEXTS = (b"null", b"-1", b"1e999", b"[]", b"{}", b'"x"', b"true", b"99999999999", b"NaN")


def mutated_values(content, generator):
    """Replaces or removes one or two values of a JSON file, at any depth."""
    whole = {"": json.loads(content)}
    for _ in range(generator.integers(1, 3)):
        places = list(_places(whole))
        parent, key = places[generator.integers(len(places))]
        if generator.integers(6):
            parent[key] = ODD[generator.integers(len(ODD))]
        elif parent is not whole:
            del parent[key]
    return json.dumps(whole[""]).encode()


def _places(value):
    """(dict or list, key or index) of every value inside one."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def mutated(content, generator, others):
    """Changes, cuts or repeats a few bytes of a file, or takes them from another file."""
    content = bytearray(content)
    for _ in range(generator.integers(1, 5)):
        place = int(generator.integers(len(content) + 1))
        end = place + int(generator.integers(1, 9))
        choice = generator.integers(7)
        if choice <= 1:
            content[place:end] = generator.bytes(end - place)
        elif choice == 2:
            content[place : place + 4] = LARGE[generator.integers(len(LARGE))]
        elif choice == 3:
            del content[place:]
        elif choice == 4:
            content[place:place] = content[place:end] * int(generator.integers(1, 200))
        elif choice == 5:
            other = others[generator.integers(len(others))]
            content[place:] = other[place:]
        else:
            content[place:end] = TEXTS[generator.integers(len(TEXTS))]
    return bytes(content)


def findings(kind, rounds, seed, keep=None):
    """Reads mutated files of a kind.

    Args:
        kind: a `Kind`.
        rounds: the number of files.
        seed: the same one makes the same files.
        keep: path under which each file is kept while it is read; None: a temporary one.

    Yields:
        (content, what is wrong with how it was read).
    """
    generator, seeds = np.random.default_rng(seed), kind.seeds()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, kind.name)
        for _ in range(rounds):
            content = seeds[generator.integers(len(seeds))]
            if kind.name.endswith(".json") and generator.integers(2):
                content = mutated_values(content, generator)
            else:
                content = mutated(content, generator, seeds)
            path.write_bytes(content)
            if keep is not None:
                keep.write_bytes(content)
            begin, worked, wrong = time.perf_counter(), _worked(), None
            try:
                kind.read(path)
            except ValueError as error:
                if "\n" in str(error).strip():
                    wrong = f"several lines: {error}"
            except Exception as error:  # what is looked for
                wrong = f"{type(error).__name__}: {error}"
            took, worked = time.perf_counter() - begin, _worked() - worked
            if wrong is None and (worked > SECONDS or took > WAITED):
                wrong = f"{worked:.1f} of {took:.1f} s"
            if wrong is not None:
                yield content, wrong


def _worked():
    """Seconds of processor time of this process and of those of its children that have ended."""
    return sum(os.times()[:4])
