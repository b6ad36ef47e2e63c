"""Measures a trained run on held-out images: a table, results.json and comparison.png.

By default it measures the best checkpoint on the run's test images (data.test) or,
without any, the last checkpoint on the validation images, as these have chosen the best
one. These results are in the work directory, and exports state them; those of --data,
--limit or another --checkpoint have a directory of their own below evaluations/.

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
    "by default the test source of the run or, where it has none, the validation source.",
)
LIMIT = flags.DEFINE_integer("limit", None, "Images to stop after.")
CHECKPOINT = flags.DEFINE_enum(
    "checkpoint",
    None,
    ["best", "last"],
    "Which weights; by default the best by validation, but on the validation images the last.",
)

KERNEL = flags.DEFINE_string(
    "kernel",
    None,
    "File of a kernel (.png, .npy or .mat): measures a network for any blur on this one alone, "
    "prints the table and writes nothing.",
)
KERNEL_INDEX = flags.DEFINE_integer("kernel_index", None, "Which kernel of a .mat file.")
NOISE = flags.DEFINE_float("noise", None, "Standard deviation of the noise, with --kernel.")
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "What measuring one whole photograph may take, as 2GiB; of larger ones the middle is measured.",
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
                    f"Expected --kernel with --{flag.name}, as a run is otherwise measured with "
                    f"what it was trained for. Received: --{flag.name}={flag.value} alone"
                )
    if MAX_MEMORY.value is not None:
        told["max_memory"] = memory_limit(MAX_MEMORY.value)
    results = evaluate(WORKDIR.value, DATA.value, LIMIT.value, CHECKPOINT.value, **told)
    print(results)


if __name__ == "__main__":
    run(main)
