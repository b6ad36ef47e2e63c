"""Cases of no work at all, for the tests of the harness."""

import sys

import numpy as np


def counter(first=0, size=0):
    """Tells how often it was asked, and holds `size` bytes."""
    held = np.ones(size, np.uint8)
    state = {"turns": first}

    def turn():
        print("what a library prints")
        state["turns"] += 1
        return {"turns": state["turns"], "held": int(held.sum())}

    return turn


def broken():
    """Ends in its second turn, with a word on why."""
    state = {"turns": 0}

    def turn():
        state["turns"] += 1
        if state["turns"] == 2:
            sys.exit("out of ideas")

    return turn


def idle(**options):
    """Does nothing."""
    return lambda: None


def product(side):
    """One product of two square matrices in PyTorch."""
    import torch

    one, other = torch.ones(side, side), torch.ones(side, side)

    def turn():
        one @ other

    return turn
