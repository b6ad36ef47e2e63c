"""SIGTERM, by which schedulers take a machine back, Ctrl-C, and what a training then ends with."""

import signal
import threading

from absl import logging

# Distinct from success, from an error (1) and from being killed (143). Kubernetes' TFJob restarts
# a process that ends with it.
EXIT_STATUS = 138
NOTED = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """The training ended early through no fault of its own; the same command goes on.

    Attributes:
        exit_status: what a program ends with that lets this error out, see `command_line.run`.
    """

    exit_status = EXIT_STATUS


class Interruption:
    """Notes SIGTERM and Ctrl-C while it is open, as a context manager, in the main thread.

    A second Ctrl-C ends the process at once.

    Attributes:
        requested: whether the signal came to this process.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        self._installed = threading.current_thread() is threading.main_thread()
        if self._installed:
            # A shell that starts a program in the background has it ignore Ctrl-C.
            noted = [number for number in NOTED if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *error):
        if self._installed:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _note(self, number, frame):
        if number == signal.SIGINT:
            if self.requested:
                raise KeyboardInterrupt
            logging.warning("Interrupted: the state is saved. Once more, and it is not.")
        self.requested = True
