"""Checks of config fields; an error names the field, what was expected and what was received."""

import math
import sys

MOST = 2**31 - 1  # the largest whole number: seeds, counts and sides are stored in 32 bits


def check_choice(field, value, choices):
    """Raises ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"Expected {field} in {tuple(choices)}. Received: {value!r}")


def check_at_least(field, value, least):
    """Raises ValueError unless `value` is a finite number of at least `least`.

    A whole number may be at most `MOST`.
    """
    if isinstance(value, int) and value > MOST:
        raise ValueError(f"Expected {field} <= {MOST}. Received: {_shortened(value)}")
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"Expected a finite {field} >= {least}. Received: {value}")


def check_range(field, value, least, most):
    """Raises ValueError unless `value` is from `least` to `most`."""
    if not least <= value <= most:
        raise ValueError(f"Expected {field} from {least} to {most}. Received: {_shortened(value)}")


def _shortened(number):
    """Returns a number, or words for one with so many digits that Python may refuse to print it."""
    return "a number of more than 30 digits" if abs(number) >= 2**100 else number


def check_positive(field, value):
    """Raises ValueError unless `value` is a finite number above zero."""
    if not 0 < value <= sys.float_info.max:
        raise ValueError(f"Expected a finite {field} > 0. Received: {value}")


def check_fraction(field, value):
    """Raises ValueError unless `value` is in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"Expected {field} from 0 to 1. Received: {value}")
