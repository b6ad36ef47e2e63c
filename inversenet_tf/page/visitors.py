"""The visitors of the page: their running work, and the messages for them."""

import threading

import gradio as gr

from inversenet_tf.page.limits import Cancelled, for_visitors


class Visits:
    """The running work of each visitor, which can be stopped."""

    def __init__(self):
        self._stops = {}

    def begin(self, request: gr.Request) -> threading.Event:
        """Stops a visitor's running work; returns the stop event of the new one."""
        self.stop(request)
        return self._stops.setdefault(request.session_hash, threading.Event())

    def stop(self, request: gr.Request) -> None:
        """Stops a visitor's running work at its next step."""
        stop = self._stops.pop(request.session_hash, None)
        if stop is not None:
            stop.set()


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
