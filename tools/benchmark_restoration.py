"""Times the ways to restore an image with a trained run, in one run and in turns.

python tools/benchmark_restoration.py --workdir=runs/demo --output=runs/restoration.json
python tools/benchmark_restoration.py --workdir=runs/demo --sizes=128 --tiled_sizes=

Each round runs every contestant once, in an order of its own. All of them take and give arrays
in memory, but for restore_bytes, which decodes and encodes PNGs; the SavedModel of bfloat16 and the
LiteRT files give slightly other images than the rest. Sizes are those of the restored images.
"""

import dataclasses
import functools
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from inversenet_tf.imaging.command_line import run  # isort: skip (first: it quiets TensorFlow)
import tensorflow as tf

from inversenet_tf.export import export_run
from inversenet_tf.imaging.datasets import HELD_OUT, open_source
from inversenet_tf.imaging.io import WHITE, from_integers, to_integers, to_uint8
from inversenet_tf.imaging.runs import versions, write_json
from inversenet_tf.imaging.saved_models import SERVING_DEFAULT
from inversenet_tf.lite import QUANTIZATIONS, LiteRestorer, converted
from inversenet_tf.restorers import FROM_BYTES, ExportedRestorer, Restorer
from inversenet_tf.tiling import restore_pixels, tile_shape
from inversenet_tf.training import load_trained
from inversenet_tf.verification import of_size

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
REPETITIONS = flags.DEFINE_integer("repetitions", 20, "Rounds that are timed.", lower_bound=1)
SIZES = flags.DEFINE_list("sizes", ["64", "256", "512"], "Sides of single images, in pixels.")
BATCH = flags.DEFINE_integer("batch", 8, "Of one more case, of the first size.", lower_bound=1)
TILED_SIZES = flags.DEFINE_list("tiled_sizes", ["512", "1024"], "Sides of images for tiles.")
THREADS = flags.DEFINE_integer("threads", 2, "Of TensorFlow and of LiteRT.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file for the result.")

flags.register_validator("sizes", bool, "Expected at least one size.")

REFERENCE = "SavedModel"
WARM_UP = 2  # rounds: what is traced, planned or compiled at the first is in neither number


def contestants(model, directory):
    """All that is compared, as functions of (measurements, PNG files).

    Returns:
        (functions by name, {name: why it is left out}, the export in float32).
    """
    exports = {
        precision: export_run(WORKDIR.value, directory / precision, precision=precision)
        for precision in ("float32", "mixed_bfloat16")
    }
    served = {name: tf.saved_model.load(str(path)) for name, path in exports.items()}

    def serve(precision):
        function = served[precision].signatures[SERVING_DEFAULT]
        return lambda y, files: function(measurements=tf.constant(y))["restored"].numpy()

    def serve_files(y, files):
        function = served["float32"].signatures[FROM_BYTES]
        return function(image_bytes=tf.constant(files))["restored_bytes"].numpy()

    found = {
        "Keras predict": lambda y, files: model.predict(y, batch_size=len(y), verbose=0),
        "Restorer": without_files(Restorer(model)),
        REFERENCE: serve("float32"),
        f"{REFERENCE}, bfloat16": serve("mixed_bfloat16"),
        "restore_bytes": serve_files,
    }
    left_out = {}
    for kind in QUANTIZATIONS:
        name, path = f"LiteRT, {kind}", directory / f"{kind}.tflite"
        try:
            path.write_bytes(converted(exports["float32"], kind))
        except ValueError as error:
            left_out[name] = str(error)
            continue
        found[name] = without_files(LiteRestorer(path, THREADS.value))
    return found, left_out, ExportedRestorer(exports["float32"])


def without_files(restorer):
    return lambda y, files: restorer(y)


def times_of(calls):
    """{name: seconds of each round}, the calls taking turns."""
    for call in list(calls.values()) * WARM_UP:
        call()
    times = {name: [] for name in calls}
    generator = np.random.default_rng(0)
    for _ in range(REPETITIONS.value):
        for name in generator.permutation(list(calls)).tolist():
            begun = time.monotonic()
            calls[name]()
            times[name].append(time.monotonic() - begun)
    return times


def summary(times):
    """{name: {"median", "quartiles", "seconds"}}."""
    found = {}
    for name, seconds in times.items():
        lower, median, upper = np.percentile(seconds, (25, 50, 75)).tolist()
        found[name] = {"median": median, "quartiles": [lower, upper], "seconds": seconds}
    return found


def measure(methods, photographs, scale):
    """A list of one dict for each size and batch."""
    sizes = [int(size) for size in SIZES.value]
    cases = []
    for size, batch in [(size, 1) for size in sizes] + [(sizes[0], BATCH.value)]:
        images = [of_size(p, (size, size), scale) for p in (photographs * batch)[:batch]]
        files = [tf.io.encode_png(to_uint8(image)).numpy() for image in images]
        given = (np.stack(images), files)
        calls = {name: functools.partial(method, *given) for name, method in methods.items()}
        cases.append({"size": size, "batch": batch, "times": summary(times_of(calls))})
    return cases


def measure_tiles(restorer, photograph):
    """A list of one dict for each size: the image in tiles against the whole."""
    cases = []
    for size in map(int, TILED_SIZES.value):
        # In 16 bits, which show differences of less than a level.
        pixels = to_integers(of_size(photograph, (size, size), restorer.spec.scale), np.uint16)
        limit, tile = memory_for_tiles(pixels, restorer.spec)
        calls = {
            "whole": functools.partial(restore_pixels, restorer, pixels),
            "tiles": functools.partial(restore_pixels, restorer, pixels, limit),
        }
        whole, tiles = (from_integers(call()) for call in calls.values())
        difference = np.abs(tiles - whole).max(-1)
        cases.append({
            "size": size,
            "tile": tile,
            "max_memory": limit,
            "largest_difference": float(difference.max()),
            "share_within_a_level": float((difference < 1 / WHITE).mean()),
            "times": summary(times_of(calls)),
        })  # fmt: skip
    return cases


def memory_for_tiles(pixels, spec):
    """Half of the bytes that the whole image takes, and the shape of the tiles that then come."""
    extended = [-(-side // spec.multiple) * spec.multiple for side in pixels.shape[:2]]
    limit = int(extended[0] * extended[1] * spec.bytes_per_pixel / 2)
    return limit, [side * spec.scale for side in tile_shape(extended, spec, limit, pixels.itemsize)]


def print_tables(results):
    cases = results["cases"]
    headings = [f"{case['size']} px" + f" x{case['batch']}" * (case["batch"] > 1) for case in cases]
    print(f"{'median ms (ratio)':<22}" + "".join(f"{heading:>20}" for heading in headings))
    for name in cases[0]["times"]:
        row = f"{name:<22}"
        for case in cases:
            median, reference = (case["times"][n]["median"] for n in (name, REFERENCE))
            row += f"{1000 * median:>11.1f} ({median / reference:>5.2f}) "
        print(row)
    for name, why in results["left_out"].items():
        print(f"{name} is left out: {why}")
    for case in results["tiled"]:
        whole, tiles = (case["times"][name]["median"] for name in ("whole", "tiles"))
        height, width = case["tile"]
        print(
            f"{case['size']} px: whole {1000 * whole:.0f} ms, in tiles of {height}x{width} "
            f"{1000 * tiles:.0f} ms ({tiles / whole:.2f}); they differ by at most "
            f"{WHITE * case['largest_difference']:.2f} / 255, by less than 1 / 255 at "
            f"{case['share_within_a_level']:.3%} of the pixels"
        )


def main():
    tf.config.threading.set_intra_op_parallelism_threads(THREADS.value)
    model, config, step = load_trained(WORKDIR.value, precision="float32")
    source = open_source("photos", HELD_OUT, model.measured_channels)
    photographs = [source.load(index) for index in range(len(source))]
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory() as directory:
        methods, left_out, restorer = contestants(model, Path(directory))
        results = {
            "cases": measure(methods, photographs, model.scale),
            "left_out": left_out,
            "tiled": measure_tiles(restorer, photographs[0]),
        }
    print_tables(results)
    if OUTPUT.value:
        settings = ("repetitions", "sizes", "batch", "tiled_sizes", "threads")
        results |= {
            "settings": {name: flags.FLAGS[name].value for name in settings},
            "machine": {
                "processor": _processor(),
                "cores": os.cpu_count(),
                "load": {"before": load_before, "after": os.getloadavg()},
            },
            "config": dataclasses.asdict(config),
            "step": step,
            "versions": versions(),
        }
        write_json(OUTPUT.value, results)


def _processor():
    """Its name, where Linux tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    run(main)
