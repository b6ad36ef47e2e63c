"""The page on an address: of this machine alone, without anything fetched from elsewhere."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from inversenet_tf.page.limits import Limits

MISSING = (
    'Expected Gradio, which draws the page (pip install "gradio>=6", or in the project '
    '".[app]"). Received: none'
)
# Read by Gradio, and what it is made of, when they are imported.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
WAITING = 16  # visitors, at most, who wait for their turn


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

    Uploads and results lie in a folder that only this user reads, and are gone afterwards.

    Args:
        models: what `inversenet_tf.load` takes, besides the presets and the closed form.
        prior: of digits; the page takes mixtures of them apart where it is given.
        host: address to listen at; only programs of this machine reach the default.
        port: None for the first that is free from 7860 on.
        limits: of an upload.
        trusted: as for `inversenet_tf.load`, of exports.

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
            import gradio  # noqa: F401 (a clear line, before what takes long)
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
                show_error=False,  # what errors say is for the log, see `limits.for_visitors`
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
    """(the page, how it looks)."""
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
