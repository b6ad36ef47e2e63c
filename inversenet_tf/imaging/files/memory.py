"""Measures how much memory there is, and keeps work within it."""

import contextlib
import math
import re
import threading
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # of the process, in a container
GIB = 2**30
SMALL = 2**26  # bytes that are granted without a check
FLOAT = 4  # bytes
UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def memory_limit(text=None):
    """Parses "1.5GiB", "500MB" or a plain number into bytes; for None, half of what is free now.

    Raises:
        ValueError: another text, or zero bytes.
    """
    if text is None:
        return free_memory() // 2
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    unit = UNITS.get(match[2]) if match else None
    if unit is None or not int(float(match[1]) * unit):
        raise ValueError(
            f'Expected a max_memory like 1GiB, 500MB or a number of bytes. Received: "{text}"'
        )
    return int(float(match[1]) * unit)


def free_memory():
    """Returns the bytes that this process may still take."""
    return int(min(psutil.virtual_memory().available, _left_to_container()))


def _left_to_container():
    """Returns the bytes left below a container's limit, unknown to psutil; infinity without one."""
    try:
        limit, used = (
            int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current")
        )
    except (OSError, ValueError):  # no such files, or "max"
        return math.inf
    return max(limit - used, 0)


def check_floats_fit(floats, *, whole=False):
    """Checks that {description: number of float32} fit together; an error names the largest."""
    if floats:
        check_fits(FLOAT * sum(floats.values()), max(floats, key=floats.get), whole=whole)


def check_fits(needed, what, *, whole=False):
    """Raises ValueError if `needed` bytes are more than `SMALL` and more than half of what is free.

    Args:
        needed: bytes.
        what: description of what needs them.
        whole: whether all that is free may be used, as by a training, which has it to itself.
    """
    if needed <= SMALL:
        return
    allowed, share = (free_memory(), "all that") if whole else (memory_limit(), "half of what")
    if needed > allowed:
        raise ValueError(
            f"{what} would take {needed / GIB:.2f} GiB of memory; at most {allowed / GIB:.2f} GiB "
            f"may be used, {share} is free"
        )


class Budget:
    """A number of bytes that several threads share; a request for more than all gets all of them.

    Args:
        total: bytes.
    """

    def __init__(self, total):
        self._total = total
        self._left = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, needed):
        """Waits until `needed` bytes are left, and holds them while the block runs."""
        needed = min(needed, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= needed)
            self._left -= needed
        try:
            yield
        finally:
            with self._changed:
                self._left += needed
                self._changed.notify_all()
