"""Measures how well photographs are restored with the kernel known, and with it estimated.

python tools/measure_unknown_blur.py --images=photos --kernels=Levin09.mat --output=runs/found

The photographs are blurred by the kernels in turn, without their border, as a camera sees
them; noise is added, and they are stored in 8 bits. PSNR is that of the frame without its
outermost pixels, after the best shift by whole pixels, as an estimated kernel is only
known up to a shift.
"""

import time
from pathlib import Path

import numpy as np
import skimage.restoration
from absl import flags
from camera_files import photographed
from shifted_scores import best_psnr, summary
from tqdm import tqdm

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.baselines.total_variation import default_weight, tv_l1
from inversenet_tf.imaging.files.images import read_image
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.physics.borders import extended_periodically
from inversenet_tf.imaging.physics.kernel_estimation import estimate_kernel
from inversenet_tf.imaging.physics.kernels import from_file
from inversenet_tf.loading import load

IMAGES = flags.DEFINE_string("images", None, "Directory of sharp photographs.", required=True)
KERNELS = flags.DEFINE_string("kernels", None, "File of kernels.", required=True)
COUNT = flags.DEFINE_integer("kernel_count", 8, "Kernels to use from the file.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
MODELS = flags.DEFINE_list("models", ["closed_form", "any_blur"], "Models, as for `load`.")
NOISE = flags.DEFINE_float("noise", 0.01, "Standard deviation, white is 1.", lower_bound=0.0)
LIMIT = flags.DEFINE_integer("limit", 20, "Number of photographs.", lower_bound=1)
BLIND = flags.DEFINE_bool(
    "deepinv", False, "Also measure deepinv's blind Richardson-Lucy; needs the extra bench."
)
FIND = flags.DEFINE_bool("find", True, "Also estimate the blur, which takes most of the time.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the noise.")

ITERATIONS = 40  # of Richardson-Lucy: the best of 5, 10, 20, 40 and 80 on photographs for training
LEAST = 1e-3  # the least value that it divides by
EXTENSION = 64  # pixels by which photographs are extended for baselines with circular boundaries


def extended(function):
    """Wraps a baseline for circular boundaries: extends the photograph periodically for it."""

    def restore(measurement, *told):
        batch = extended_periodically(measurement[np.newaxis], (EXTENSION, EXTENSION)).numpy()
        height, width = measurement.shape[:2]
        return np.clip(function(batch, *told)[0, :height, :width], 0, 1)

    return restore


def total_variation(batch, kernel, noise):
    return tv_l1(batch, kernel, default_weight(noise))


def unsupervised_wiener(batch, kernel, noise):
    """scikit-image's, which estimates the noise itself."""
    del noise
    channels = [
        skimage.restoration.unsupervised_wiener(channel, kernel, rng=SEED.value)[0]
        for channel in np.moveaxis(batch[0], -1, 0)
    ]
    return np.stack(channels, axis=-1)[np.newaxis]


def richardson_lucy(batch, kernel, noise):
    """scikit-image's, which does not model noise: few iterations keep it low."""
    del noise
    half = EXTENSION // 2  # it assumes black around an image: keep the photograph away from it
    moved = np.roll(batch[0], (half, half), (0, 1))
    channels = [
        skimage.restoration.richardson_lucy(channel, kernel, ITERATIONS, filter_epsilon=LEAST)
        for channel in np.moveaxis(moved, -1, 0)
    ]
    return np.roll(np.stack(channels, axis=-1), (-half, -half), (0, 1))[np.newaxis]


def blind_methods():
    """{row: function of a measurement alone} of the baselines that estimate the blur themselves."""
    if not BLIND.value:
        return {}
    from pytorch_baselines.blind_deconvolution import blind_richardson_lucy  # with the extra bench

    deconvolve = extended(lambda batch: blind_richardson_lucy(batch[0])[0][np.newaxis])
    return {"deepinv's blind Richardson-Lucy": deconvolve}


def scores_of(image, kernel, methods, blind, generator):
    """{row: dB} of one photograph, and the seconds that the search took."""
    measurement, sharp = photographed(image, kernel, NOISE.value, generator)
    scores = {"measured": best_psnr(measurement, sharp)}
    told, seconds = {"true kernel": (kernel, NOISE.value)}, 0.0
    if FIND.value:
        begin = time.perf_counter()
        estimate = estimate_kernel(measurement)
        seconds = time.perf_counter() - begin
        told["found kernel"] = (estimate.kernel, estimate.noise) if estimate.is_blur else None
    for name, restore in methods.items():
        for knowledge, facts in told.items():  # without a blur it is left as it is
            restored = restore(measurement, *facts) if facts else measurement
            scores[f"{name}, {knowledge}"] = best_psnr(restored, sharp)
    for name, deconvolve in blind.items():
        scores[name] = best_psnr(deconvolve(measurement), sharp)
    return scores, seconds


def main():
    paths = list_images(Path(IMAGES.value).expanduser())
    chosen = paths[:: max(len(paths) // LIMIT.value, 1)][: LIMIT.value]
    output = Path(OUTPUT.value).expanduser()
    kernels = [from_file(KERNELS.value, index) for index in range(COUNT.value)]
    methods = {name: load(name) for name in MODELS.value} | {
        "tv_l1": extended(total_variation),
        "unsupervised_wiener": extended(unsupervised_wiener),
        "richardson_lucy": extended(richardson_lucy),
    }
    blind = blind_methods()
    generator = np.random.default_rng(SEED.value)
    rows, seconds = [], []
    for number, path in enumerate(tqdm(chosen, unit="photograph")):
        kernel = kernels[number % len(kernels)]
        scores, duration = scores_of(read_image(path), kernel, methods, blind, generator)
        rows.append(scores)
        seconds.append(duration)
    means = summary(rows)
    output.mkdir(parents=True, exist_ok=True)
    facts = {"flags": {name: flags.FLAGS[name].value for name in TOLD}, "versions": versions()}
    photographs = [path.name for path in chosen]
    per_photograph = dict(zip(photographs, rows, strict=True))
    times = {"median_seconds_of_search": float(np.median(seconds))}
    write_json(output / "results.json", facts | times | {"means": means, "scores": per_photograph})
    print(f"{'':40} {'dB':>7} {'gain':>7} {'worse':>6} {'least':>7}")
    for name, row in means.items():
        print(
            f"{name:40} {row['psnr']:7.2f} {row['gain']:7.2f} {row['made_worse']:6.0%} "
            f"{row['least_gain']:7.2f}"
        )


TOLD = ("images", "kernels", "kernel_count", "models", "noise", "limit", "find", "deepinv", "seed")

if __name__ == "__main__":
    run(main)
