"""Serves a web page to upload, restore, compare and download photographs.

inversenet app
inversenet app --model=runs/any_blur --model=models/mine --prior=runs/prior_digits
inversenet app --prior=   # without the tab of mixed digits

By default only programs on this machine can reach it, and nothing is fetched from
elsewhere. Ctrl-C stops it and deletes the uploads.
"""

import threading

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.page.limits import Limits
from inversenet_tf.page.server import served

MODEL = flags.DEFINE_multi_string(
    "model", [], "A run, an export or a served model to offer as well."
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export",
    False,
    "Run exports even if their graphs do more than compute, which makes them programs.",
)
PRIOR = flags.DEFINE_string(
    "prior",
    "digits",
    "Trained GAN of digits, a preset or a run, with which the page separates mixtures of digits.",
)
HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0 admits anyone who can reach this machine."
)
PORT = flags.DEFINE_integer(
    "port", None, "Port to listen on; default: the first free one from 7860.", 1, 65535
)
MAX_UPLOAD = flags.DEFINE_string("max_upload", "100MB", "Size of the largest file accepted.")
MAX_PIXELS = flags.DEFINE_integer(
    "max_pixels", Limits.pixels, "Largest number of pixels in an image.", 1
)


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
        print(f"The page is at {address} (Ctrl-C stops it).", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    run(main)
