"""SIGTERM, by which schedulers take a machine back, and what a training then ends with."""

import signal
import threading

# Distinct from success, from an error (1) and from being killed (143). Kubernetes' TFJob restarts
# a process that ends with it.
EXIT_STATUS = 138


class Interrupted(Exception):
    """The training ended early through no fault of its own; the same command goes on.

    Attributes:
        exit_status: what a program ends with that lets this error out, see `command_line.run`.
    """

    exit_status = EXIT_STATUS


class Interruption:
    """Notes a SIGTERM while it is open, as a context manager, in the main thread.

    Attributes:
        requested: whether the signal came to this process.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        self._installed = threading.current_thread() is threading.main_thread()
        if self._installed:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *error):
        if self._installed:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number, frame):
        self.requested = True
