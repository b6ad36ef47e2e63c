"""Converts published weights of AlexNet to HDF5, which the comparators read.

python tools/convert_weights.py --input=bvlc_alexnet.npy --output=bvlc_alexnet.h5
python tools/convert_weights.py --input=alexnet-owt-7be5be79.pth --output=alexnet_torchvision.h5

The first, pickled by Guerzhoy, is for the comparator alexnet; no pickle is executed. The
other, torchvision's checkpoint, is for alexnet_torchvision; reading it requires PyTorch.
"""

from pathlib import Path

from absl import flags

from inversenet_tf.command_line import run  # isort: skip (first: it quiets TensorFlow)
from pickled_weights import read_pickled

from inversenet_tf.models.perceptual.weights import from_torchvision, write_h5

INPUT = flags.DEFINE_string(
    "input", None, "bvlc_alexnet.npy, or the checkpoint of torchvision's AlexNet.", required=True
)
OUTPUT = flags.DEFINE_string("output", None, "HDF5 file to write (.h5).", required=True)


def read_checkpoint(path):
    """Reads a PyTorch state dict, without executing pickles, as NumPy arrays by name.

    Raises:
        ValueError: PyTorch is not installed, or the file is no state dict.
    """
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            f"Expected PyTorch, to read its checkpoints: pip install torch. Received: {error}"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in state.items()}
    except Exception as error:  # PyTorch's reader fails in many ways
        raise ValueError(  # without PyTorch's text, which recommends executing the file
            f"Expected a state dict in {path}. Received: something else, or a file that torch.load "
            f"refuses ({type(error).__name__})"
        ) from error


def main():
    if Path(INPUT.value).suffix.lower() == ".npy":
        weights = read_pickled(INPUT.value)
    else:
        weights = from_torchvision(read_checkpoint(INPUT.value))
    write_h5(OUTPUT.value, weights)
    print(f"Wrote {', '.join(weights)} to {OUTPUT.value}.")


if __name__ == "__main__":
    run(main)
