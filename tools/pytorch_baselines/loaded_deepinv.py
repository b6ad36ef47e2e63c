"""Imports deepinv, even if torchvision was built for another PyTorch and lacks its operators.

deepinv imports torchvision, which registers what two of its operators do with shapes. With a CPU
build of PyTorch and a torchvision for GPUs, which is what PyPI has, that ends with "operator
torchvision::nms does not exist". deepinv's networks use neither, so it is enough to declare them.
"""

import torch

OPERATORS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _declare_operators():
    """Declares what torchvision would have declared; returns the library that holds it."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(name + SIGNATURE)
    return library


try:
    import torchvision  # noqa: F401
except RuntimeError as error:
    if "torchvision::nms does not exist" not in str(error):
        raise
    _declared = _declare_operators()  # the declarations last as long as this library

import deepinv  # noqa: E402

__all__ = ["deepinv"]
