"""The look of the page: its colours, fonts and pieces of HTML."""

import base64
import html

import gradio as gr

from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.imaging.files.written_photographs import png_bytes
from inversenet_tf.page.restoring import Outcome
from inversenet_tf.restoration.unknown_blur import picture_of

LOW, FAIR = 0.35, 0.7  # confidences where the colour of the meter changes
CSS = """
.gradio-container {max-width: 1280px !important; margin: 0 auto !important}
#lead p {color: var(--body-text-color-subdued); margin: 0}
#title h1 {margin-bottom: 0}
.facts {font-size: var(--text-sm); color: var(--body-text-color-subdued)}
.refused {font-size: var(--text-sm); color: var(--error-text-color); padding: 8px 12px;
  background: var(--error-background-fill); border: 1px solid var(--error-border-color);
  border-radius: 6px}
#hint p, #digits p {font-size: var(--text-sm); color: var(--body-text-color-subdued)}
#hint p {margin: 4px 0 -12px}
#examples .thumbnail-lg {aspect-ratio: 16 / 10}
#examples .thumbnail-lg img {object-position: 50% 20%}
#blur .wrap {flex-wrap: nowrap}
#blur .wrap label {padding: 6px 9px}
#slider {min-height: 420px}
#about .html-container, #found .html-container {padding: 0}
.card {display: flex; gap: 20px; align-items: center; line-height: 1.5}
.card .words {flex: 1}
.card .label {display: flex; justify-content: space-between; font-weight: 600}
.kernel {width: 132px; height: 132px; object-fit: contain; background: #000;
  border-radius: 6px; image-rendering: pixelated}
.meter {height: 8px; border-radius: 4px; background: var(--border-color-primary); margin: 6px 0}
.meter > div {height: 100%; border-radius: 4px}
footer {display: none !important}
"""


def theme() -> gr.themes.Base:
    """The theme, with the fonts of the visitor's system, so that none is fetched."""
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    return gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        font=fonts,
        font_mono=("ui-monospace", "monospace"),
    )


def card(outcome: Outcome) -> str:
    """HTML for the kernel, the confidence in it, and what was done."""
    picture = ""
    if outcome.kernel is not None and outcome.kernel.size > 1:
        content = png_bytes(to_uint8(picture_of(outcome.kernel)))
        source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        picture = f'<img class="kernel" alt="The kernel" src="{source}">'
    words = _meter(outcome.confidence) + sentence(outcome.words)
    return f'<div class="card">{picture}<div class="words">{words}</div></div>'


def _meter(confidence):
    """A bar that shows the confidence in the kernel."""
    if confidence is None:
        return ""
    colour = "#dc2626" if confidence < LOW else "#d97706" if confidence < FAIR else "#16a34a"
    return (
        f'<div class="label"><span>Confidence in the kernel</span><span>{confidence:.0%}</span>'
        f'</div><div class="meter"><div style="width: {confidence:.0%}; background: {colour}">'
        "</div></div>"
    )


def sentence(words: str) -> str:
    """HTML for words of any kind, as a block."""
    return f"<div>{html.escape(words)}</div>"


def about(words: str, kind: str = "facts"):
    """An update that shows "facts" about the photograph below it, or why it was "refused"."""
    return gr.update(value=f'<div class="{kind}">{html.escape(words)}</div>', visible=True)
