"""Serves the page, by default to this machine alone, without fetching anything from elsewhere."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from inversenet_tf.page.limits import Limits

MISSING = (
    'Expected Gradio, which the page needs (pip install "gradio>=6", or in the project '
    '".[app]"). Received: none'
)
# Read by Gradio and its dependencies when they are imported.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
WAITING = 16  # visitors in the queue, at most


@contextlib.contextmanager
def served(
    *,
    models: Sequence[str] = (),
    prior: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    limits: Limits | None = None,
    trusted: bool = False,
) -> Iterator[str]:
    """Serves the page while the block runs.

    Uploads and results are kept in a folder that only this user can read, and deleted afterwards.

    Args:
        models: to offer besides the presets and the closed form, as for `inversenet_tf.load`.
        prior: of digits; if it is given, the page also separates mixtures of them.
        host: address to listen at; only this machine can reach the default.
        port: None for the first free one from 7860 on.
        limits: of an upload.
        trusted: as for `inversenet_tf.load`, for exports.

    Yields:
        The page's address.

    Raises:
        ValueError: Gradio is not installed, or a model or the prior cannot be loaded.
        OSError: the port is taken.
    """
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="inversenet-page-") as folder:
        folder = Path(folder)
        os.environ |= QUIET | {"GRADIO_TEMP_DIR": str(_made(folder / "uploads"))}
        try:
            import gradio  # noqa: F401 (to fail early, with a clear message)
        except ImportError as error:
            raise ValueError(MISSING) from error
        logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio asks itself whether it is up
        page, look = _built(folder, models, prior, limits, trusted)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                max_file_size=limits.size,
                prevent_thread_lock=True,
                share=False,
                quiet=True,
                show_error=False,  # messages of errors are for the log, see `limits.for_visitors`
                ssr_mode=False,
                enable_monitoring=False,
                mcp_server=False,
                footer_links=[],
                allowed_paths=[],
                **look,
            )
            yield address
        finally:
            page.close(verbose=False)


def _made(folder):
    folder.mkdir()
    return folder


def _built(folder, models, prior, limits, trusted):
    """Returns (the page, the arguments for its look)."""
    from inversenet_tf.page import layout, look
    from inversenet_tf.page.examples import write_examples
    from inversenet_tf.page.models import Models
    from inversenet_tf.page.restoring import Workshop

    separator = None
    if prior is not None:
        from inversenet_tf.page.digits import Separator

        separator = Separator(prior)
    choices = Models(models, trusted)
    choices.check()
    workshop = Workshop(_made(folder / "results"), limits)
    examples = write_examples(_made(folder / "examples"))
    page = layout.build(workshop, choices, examples, separator).queue(max_size=WAITING)
    return page, {"theme": look.theme(), "css": look.CSS}
