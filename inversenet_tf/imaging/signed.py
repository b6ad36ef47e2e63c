"""Maps images in [0, 1] to the [-1, 1] of a network's tanh, and back."""


def to_signed(images):
    """[0, 1] -> [-1, 1]."""
    return images * 2.0 - 1.0


def from_signed(signed):
    """[-1, 1] -> [0, 1]."""
    return (signed + 1.0) / 2.0
