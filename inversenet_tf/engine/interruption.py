"""Handles Ctrl-C and SIGTERM, with which schedulers reclaim a machine, during a training."""

import signal
import threading

from absl import logging

# Distinct from success, from an error (1) and from being killed (143). Kubernetes' TFJob restarts
# a process with this exit status.
EXIT_STATUS = 138


class Interrupted(Exception):
    """The training ended early through no fault of its own; the same command resumes it.

    Attributes:
        exit_status: of a program that does not catch this error, see `command_line.run`.
    """

    exit_status = EXIT_STATUS


class Interruption:
    """Context manager that notes SIGTERM and Ctrl-C, if it is used in the main thread.

    A second Ctrl-C raises `KeyboardInterrupt`.

    Attributes:
        requested: whether this process has received a signal.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        noted = [signal.SIGTERM]
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in a shell's background
            noted.append(signal.SIGINT)
        in_main_thread = threading.current_thread() is threading.main_thread()
        self._before = {n: signal.signal(n, self._note) for n in noted if in_main_thread}
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if number == signal.SIGINT:
            if self.requested:
                raise KeyboardInterrupt
            logging.warning(
                "Interrupted: saving the state. Interrupt again to stop without saving."
            )
        self.requested = True
