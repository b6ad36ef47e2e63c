"""Measures other work on the machine, beside which a round says little and does not count."""

import time

import psutil
from absl import logging

ALLOWED = 0.15  # cores that others may keep busy; an idle system itself takes a few hundredths
INTERVAL = 1.0  # seconds over which the load is measured while waiting
PATIENCE = 1800.0  # seconds


class OtherLoad:
    """Measures cores that are busy with anything but this process and those that it started.

    Args:
        patience: seconds to wait, at a stretch, until the machine is idle.

    Attributes:
        seen: the load beside each round, in cores.
    """

    def __init__(self, patience=PATIENCE):
        self.patience = patience
        self.seen = []

    def begin(self):
        """Begins the time that `end` measures."""
        self._begun = _times()

    def end(self):
        """Returns the cores that others kept busy since `begin`, on average."""
        clock, busy, own = (now - then for now, then in zip(_times(), self._begun, strict=True))
        return max(busy - own, 0.0) / max(clock, 1e-3)

    def wait(self):
        """Returns once the machine is idle.

        Raises:
            RuntimeError: it has not been for as long as `patience`.
        """
        waited, said = 0.0, False
        while (cores := self._look()) > ALLOWED:
            if not said:
                logging.info("Other programs keep %.1f cores busy. Waiting until they end.", cores)
                said = True
            waited += INTERVAL
            if waited >= self.patience:
                raise RuntimeError(
                    "Expected an idle machine. Received: one where other programs kept "
                    f"{cores:.1f} cores busy after {waited:.0f} s of waiting; --loaded measures "
                    "all the same"
                )

    def _look(self):
        self.begin()
        time.sleep(INTERVAL)
        return self.end()

    def was_idle(self):
        """Whether others left the machine alone since `begin`; keeps their load."""
        self.seen.append(self.end())
        return self.seen[-1] <= ALLOWED


class AnyLoad(OtherLoad):
    """Counts every round, and keeps the load beside it."""

    def wait(self):
        """Returns at once."""

    def was_idle(self):
        """True, whatever else is running."""
        super().was_idle()
        return True


def _times():
    """Seconds of the clock, of all cores' work, and of their work for this program.

    The last leaves out processes that have ended; those of a comparison live as long as it does.
    """
    system = psutil.cpu_times()
    waiting = system.idle + getattr(system, "iowait", 0.0)
    # Guests are counted in `user` already.
    guests = getattr(system, "guest", 0.0) + getattr(system, "guest_nice", 0.0)
    own = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        own += times.user + times.system
    return time.monotonic(), sum(system) - waiting - guests, own
