"""Restores a photograph, or every one of a folder, of any kind and size, with a trained run.

inversenet restore --workdir=runs/demo --input=blurred.jpg --output=restored/
inversenet restore --export=runs/demo/export/deblur --input=photos --output=restored --compare
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.restoration.footprint import resident_bytes
from inversenet_tf.restoration.photographs import memory_limit, restore_files
from inversenet_tf.restoration.restorers import ExportedRestorer, ModelRestorer

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
EXPORT = flags.DEFINE_string("export", None, "Directory of an export, instead of a run.")
INPUT = flags.DEFINE_string("input", None, "Image file, or directory of images.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the PNG results.", required=True)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace results that exist.")
SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Leave results that exist and make the others: go on after a kill."
)
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "What restoring one image may take, as 2GiB, 500MB or bytes; larger images are restored in "
    "tiles. By default half of the memory that is free.",
)
COMPARE = flags.DEFINE_bool(
    "compare", False, "Write input and result side by side, too, into OUTPUT/comparisons."
)

flags.mark_flags_as_mutual_exclusive(["workdir", "export"], required=True)
flags.mark_bool_flags_as_mutual_exclusive(["overwrite", "skip_existing"])


def main():
    max_memory = memory_limit(MAX_MEMORY.value)
    if EXPORT.value is not None:
        restorer = ExportedRestorer(EXPORT.value)
    else:
        from inversenet_tf.trained_run import load_trained  # an export does without the networks

        restorer = ModelRestorer(load_trained(WORKDIR.value)[0])
    restorer.spec  # noqa: B018 (worked out now, as what follows is measured)
    idle, _ = resident_bytes()
    restored, skipped = restore_files(
        restorer,
        INPUT.value,
        OUTPUT.value,
        OVERWRITE.value,
        max_memory,
        COMPARE.value,
        SKIP_EXISTING.value,
    )
    print(f"{len(restored)} images restored into {OUTPUT.value}, {len(skipped)} skipped.")
    _, peak = resident_bytes()
    if peak is not None:
        print(f"At most {max(peak - idle, 0) / 2**20:.0f} MiB beyond the idle process.")


if __name__ == "__main__":
    run(main)
