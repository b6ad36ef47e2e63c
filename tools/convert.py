"""Converts an export of an InverseNet to LiteRT or ONNX, and compares the two.

inversenet convert --export=runs/demo/export/deblur --output=deblur.tflite
inversenet convert --export=runs/demo/export/deblur --output=deblur8.tflite \\
    --quantize=dynamic_range
inversenet convert --export=models/deblur --output=deblur.onnx --to=onnx

The file is written only if it agrees with the export on held-out images of several sizes.
Networks that begin with the closed form of Eq. 3, like that of the quickstart, cannot be
converted.
"""

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from inversenet_tf.exporting.lite import NONE, QUANTIZATIONS, convert

LITERT, ONNX = "litert", "onnx"

EXPORT = flags.DEFINE_string(
    "export", None, "Directory of an export or of its versions.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "File to write (.tflite or .onnx).", required=True)
TO = flags.DEFINE_enum("to", LITERT, [LITERT, ONNX], "Format to convert to.")
QUANTIZE = flags.DEFINE_enum(
    "quantize", NONE, QUANTIZATIONS, "Store weights in 16 bits (float16) or 8 bits (dynamic_range)."
)
DATA = flags.DEFINE_string(
    "data", None, "Images to compare on; by default the validation images of the training."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing file.")
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export",
    False,
    "Run an export even if its graphs do more than compute, which makes it a program.",
)
MIB = 2**20


def main():
    metadata = _converted()
    check, size = metadata["check"], metadata["bytes"]
    print(
        f"{OUTPUT.value}: {size['converted'] / MIB:.2f} MiB, version "
        f"{metadata['export']['version']} of the export ({size['export'] / MIB:.2f} MiB)."
    )
    print(
        f"Difference from the export: at most {check['largest_difference']:.1e}, PSNR at least "
        f"{check['least_psnr_against_export']:.1f} dB."
    )
    if check["psnr"] is None:
        return
    print(
        f"Against the true images: {check['psnr']['converted']:.2f} dB, the export "
        f"{check['psnr']['export']:.2f} dB ({len(check['data']['images'])} from "
        f"{check['data']['source']})."
    )


def _converted():
    options = {"data": DATA.value, "overwrite": OVERWRITE.value, "trusted": TRUST_EXPORT.value}
    if TO.value == LITERT:
        return convert(EXPORT.value, OUTPUT.value, QUANTIZE.value, **options)
    if QUANTIZE.value != NONE:
        raise ValueError(f"Expected --to={LITERT} with --quantize. Received: --to={TO.value}")
    from inversenet_tf.exporting.onnx import convert_to_onnx  # not needed for LiteRT

    return convert_to_onnx(EXPORT.value, OUTPUT.value, **options)


if __name__ == "__main__":
    run(main)
