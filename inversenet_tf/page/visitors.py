"""Those who use the page: what they have under way, and what they are told."""

import threading

import gradio as gr

from inversenet_tf.page.limits import Cancelled, for_visitors


class Visits:
    """Who is there, and whether they have asked to stop."""

    def __init__(self):
        self._stops = {}

    def begin(self, request: gr.Request) -> threading.Event:
        """A new piece of work; what the same visitor has under way ends."""
        self.stop(request)
        return self._stops.setdefault(request.session_hash, threading.Event())

    def stop(self, request: gr.Request) -> None:
        """Ends what a visitor has under way at its next step."""
        stop = self._stops.pop(request.session_hash, None)
        if stop is not None:
            stop.set()


class told_plainly:  # noqa: N801 (used as a statement)
    """A block whose errors become words for the visitor, `words`; what follows it says them."""

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
    """The start and the cancel button while work is under way."""
    return gr.update(interactive=False), gr.update(interactive=True)


def idle():
    """Both while there is none."""
    return gr.update(interactive=True), gr.update(interactive=False)
