"""Serves a page on which photographs are dropped, restored, compared and downloaded.

inversenet app
inversenet app --model=runs/any_blur --model=models/mine --prior=runs/prior_digits
inversenet app --prior=   # without the tab of mixed digits

By default only programs on this machine can reach it, and nothing is fetched from
anywhere. Ctrl-C ends it and removes what was uploaded.
"""

import threading

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.page.limits import Limits
from inversenet_tf.page.server import served

MODEL = flags.DEFINE_multi_string(
    "model", [], "A run, an export or a served model to choose, too; may be given several times."
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export", False, "Run exports whose graphs do more than compute: they are programs."
)
PRIOR = flags.DEFINE_string(
    "prior",
    "digits",
    "A trained GAN of digits, with which the page takes mixtures of them apart: a preset or a run.",
)
HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen at; 0.0.0.0 lets in whoever reaches this machine."
)
PORT = flags.DEFINE_integer(
    "port", None, "By default the first that is free from 7860 on.", 1, 65535
)
MAX_UPLOAD = flags.DEFINE_string("max_upload", "100MB", "Largest file that is taken.")
MAX_PIXELS = flags.DEFINE_integer("max_pixels", Limits.pixels, "Of the largest image taken.", 1)


def main():
    limits = Limits(memory_limit(MAX_UPLOAD.value), MAX_PIXELS.value)
    with served(
        models=MODEL.value,
        prior=PRIOR.value or None,
        host=HOST.value,
        port=PORT.value,
        limits=limits,
        trusted=TRUST_EXPORT.value,
    ) as address:
        print(f"The page is at {address} (Ctrl-C ends it).", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    run(main)
