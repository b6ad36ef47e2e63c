"""Measures a trained run on held-out images: a table, results.json and comparison.png.

By default it measures the best checkpoint on the run's test images (data.test) or, if
there are none, the last checkpoint on the validation images, as the best one was chosen
on these. The results are written to the work directory, and exports quote them; results
with --data, --limit or another --checkpoint go to a separate directory in evaluations/.

inversenet evaluate --workdir=runs/demo
inversenet evaluate --workdir=runs/demo --data=folder:my/photos --limit=20
inversenet evaluate --workdir=runs/any_blur --kernel=shake.npy --noise=0.01
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.evaluation import evaluate
from inversenet_tf.imaging.config import NoiseConfig
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.imaging.physics.kernels import from_file
from inversenet_tf.imaging.physics.operators import Blur

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)
DATA = flags.DEFINE_string(
    "data",
    None,
    "photos, folder:DIR, prepared:DIR, pairs:SHARP_DIR,DEGRADED_DIR or tfds:NAME[@SPLIT]; "
    "by default the run's test source or, if it has none, its validation source.",
)
LIMIT = flags.DEFINE_integer("limit", None, "Largest number of images to measure.")
CHECKPOINT = flags.DEFINE_enum(
    "checkpoint",
    None,
    ["best", "last"],
    "Checkpoint to measure; by default the best one, or the last one on the validation images.",
)

KERNEL = flags.DEFINE_string(
    "kernel",
    None,
    "Kernel file (.png, .npy or .mat): measure a network for any blur with this kernel alone, "
    "print the table and write nothing.",
)
KERNEL_INDEX = flags.DEFINE_integer(
    "kernel_index", None, "Index, from 0, of the kernel in a .mat file."
)
NOISE = flags.DEFINE_float(
    "noise", None, "With --kernel: standard deviation of the noise, where white is 1."
)
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "Memory that measuring a whole photograph may take, such as 2GiB; of photographs that need "
    "more, only the middle is measured.",
)


def main():
    told = {}
    if KERNEL.value is not None:
        told["operator"] = Blur(from_file(KERNEL.value, KERNEL_INDEX.value or 0))
        told["noise"] = NoiseConfig(gaussian_sigma=NOISE.value or 0.0)
    else:
        for flag in (NOISE, KERNEL_INDEX):
            if flag.value is not None:
                raise ValueError(
                    f"Expected --kernel with --{flag.name}, as a run is otherwise measured under "
                    f"its training conditions. Received: --{flag.name}={flag.value} alone"
                )
    if MAX_MEMORY.value is not None:
        told["max_memory"] = memory_limit(MAX_MEMORY.value)
    results = evaluate(WORKDIR.value, DATA.value, LIMIT.value, CHECKPOINT.value, **told)
    print(results)


if __name__ == "__main__":
    run(main)
