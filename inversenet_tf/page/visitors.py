"""The visitors of the page: their running work, and the messages for them."""

import threading

import gradio as gr

from inversenet_tf.page.limits import Cancelled, for_visitors

STOPPED = threading.Event()  # of visitors who have left
STOPPED.set()


class Visits:
    """The work of each visitor in one tab, waiting or running, which can be stopped."""

    def __init__(self):
        self._stops = {}

    def queue(self, request: gr.Request) -> tuple:
        """Stops a visitor's work, and expects the next, which may have to wait.

        Returns:
            The updates of `busy`.
        """
        self.stop(request)
        self._stops[request.session_hash] = threading.Event()
        return busy()

    def begin(self, request: gr.Request) -> threading.Event:
        """Returns the stop event of the queued work, which may have been stopped meanwhile."""
        return self._stops.get(request.session_hash, STOPPED)

    def stop(self, request: gr.Request) -> None:
        """Stops a visitor's work at its next step, or at its first if it still waits."""
        self._stops.get(request.session_hash, STOPPED).set()

    def leave(self, request: gr.Request) -> None:
        """Stops the work of a visitor who has closed the page, and forgets it."""
        self._stops.pop(request.session_hash, STOPPED).set()


class told_plainly:  # noqa: N801 (used as a statement)
    """A block that turns errors into `words` for the visitor, for the code after it to show."""

    def __init__(self, *paths):
        self._paths, self.words = [path for path in paths if path], ""

    def __enter__(self):
        return self

    def __exit__(self, _, error, __):
        if error is None or not isinstance(error, Exception):
            return False
        self.words = (
            "Cancelled." if isinstance(error, Cancelled) else for_visitors(error, *self._paths)
        )
        return True


def busy():
    """Updates of the start and the cancel button while work is running."""
    return gr.update(interactive=False), gr.update(interactive=True)


def idle():
    """Updates of the start and the cancel button while nothing is running."""
    return gr.update(interactive=True), gr.update(interactive=False)
