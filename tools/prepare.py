"""Packs a folder of images into a few large files: the source `prepared:DIR` of a training.

inversenet prepare --source=folder:imagenet/train --output=prepared/imagenet
inversenet prepare --output=prepared/imagenet --verify

The image files are packed unchanged. The same command resumes an interrupted packing, and
rewrites a shard that was removed because it was damaged. No image is skipped because of
its size, as the limit depends on the training. --verify, alone or after packing, reads
every shard and checks its SHA-256.
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.imaging.data.packing import prepare
from inversenet_tf.imaging.data.prepared import DEFAULT_SHARD_MIB, damaged_shards
from inversenet_tf.imaging.wording import counted

SOURCE = flags.DEFINE_string(
    "source", None, "Images to pack: folder:DIR, or folder:DIR,DIR for several folders."
)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the prepared set.", required=True)
SHARD_MIB = flags.DEFINE_integer(
    "shard_mib", DEFAULT_SHARD_MIB, "Size of a shard in MiB.", lower_bound=1
)
VERIFY = flags.DEFINE_bool("verify", False, "Read every shard and check its SHA-256.")


def main():
    if not SOURCE.value and not VERIFY.value:
        raise ValueError("Expected --source to pack, or --verify. Received: neither")
    if SOURCE.value:
        index = prepare(SOURCE.value, OUTPUT.value, SHARD_MIB.value)
        images = counted(index["count"], "image")
        print(f"{images} in {counted(len(index['shards']), 'shard')}: prepared:{OUTPUT.value}")
    if VERIFY.value:
        damaged = damaged_shards(OUTPUT.value)
        if damaged:
            raise ValueError(
                f"Expected undamaged shards in {OUTPUT.value}. Received: {'; '.join(damaged)}. "
                "Remove these and pack again with the same --source."
            )
        print(f"All shards in {OUTPUT.value} are intact.")


if __name__ == "__main__":
    run(main)
