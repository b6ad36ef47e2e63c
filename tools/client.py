"""Restores an image, or every image in a folder, with a model served by TensorFlow Serving.

inversenet client --server=localhost:8501 --model=deblur --input=blurred/ --output=restored/
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.client.connection import connect
from inversenet_tf.client.served_restorer import ServedRestorer
from inversenet_tf.imaging.files.written_photographs import FORMATS, SAME
from inversenet_tf.imaging.wording import counted
from inversenet_tf.restoration.photographs import restore_files

SERVER = flags.DEFINE_string(
    "server",
    "localhost",
    "host:port or https://host:port; the usual port is 8501, or 8500 for gRPC.",
)
PROTOCOL = flags.DEFINE_enum("protocol", "rest", ["rest", "grpc"], "Protocol of the server.")
MODEL = flags.DEFINE_string("model", None, "Name of the model on the server.", required=True)
VERSION = flags.DEFINE_integer("version", None, "Version of the model; default: the latest.")
INPUT = flags.DEFINE_string("input", None, "Image file or directory of images.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
FORMAT = flags.DEFINE_enum(
    "format",
    SAME,
    FORMATS,
    "File format of the results; same keeps PNG, JPEG and TIFF and writes the rest as PNG.",
)
PARALLEL = flags.DEFINE_integer("parallel", 4, "Number of simultaneous requests.")
TIMEOUT = flags.DEFINE_float("timeout", 60.0, "Seconds for one image, including retries.")
CA_CERTIFICATE = flags.DEFINE_string(
    "ca_certificate",
    None,
    "PEM file of the authority for an https:// server; default: the usual ones.",
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace existing results.")
SKIP_EXISTING = flags.DEFINE_bool("skip_existing", False, "Skip images that already have a result.")

flags.mark_bool_flags_as_mutual_exclusive(["overwrite", "skip_existing"])


def main():
    client = connect(
        SERVER.value,
        MODEL.value,
        version=VERSION.value,
        protocol=PROTOCOL.value,
        timeout=TIMEOUT.value,
        ca_certificate=CA_CERTIFICATE.value,
    )
    with ServedRestorer(client) as restorer:
        restored, skipped = restore_files(
            restorer,
            INPUT.value,
            OUTPUT.value,
            overwrite=OVERWRITE.value,
            skip_existing=SKIP_EXISTING.value,
            parallel=PARALLEL.value,
            format=FORMAT.value,
        )
    images = counted(len(restored), "image")
    print(f"{images} restored into {OUTPUT.value}, {len(skipped)} skipped.")


if __name__ == "__main__":
    run(main)
