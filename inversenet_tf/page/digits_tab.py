"""The tab that separates mixed digits."""

from typing import TYPE_CHECKING

import gradio as gr

from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.page.limits import Progress
from inversenet_tf.page.look import sentence
from inversenet_tf.page.visitors import Visits, idle, told_plainly

if TYPE_CHECKING:
    from inversenet_tf.page.digits import Separator  # imports the package of GANs


def digits_tab(separator: "Separator", visits: Visits) -> None:
    """Draws the tab; call it within the page's `gr.Tab`."""
    gr.Markdown(
        "Three handwritten digits are added with unknown weights, and only the absolute value of "
        "each sum is observed. A search with a GAN of digits separates them.",
        elem_id="digits",
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            sets = gr.Slider(1, 20, value=8, step=1, label="Sets of digits")
            mixtures = gr.Slider(1, 6, value=4, step=1, label="Mixtures of each set")
            seed = gr.Number(0, precision=0, label="Seed")
            with gr.Row():
                start = gr.Button("Separate", variant="primary", scale=3, min_width=120)
                cancel = gr.Button("Cancel", interactive=False, scale=1, min_width=80)
            words = gr.HTML(padding=False)
        with gr.Column(scale=3), gr.Row():
            pictures = [
                gr.Image(label=label, interactive=False, buttons=[], min_width=180)
                for label in ("Mixtures", "Recovered", "True digits")
            ]

    def separate(sets, mixtures, seed, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        stop = visits.begin(request)
        report = Progress(lambda fraction, words: progress(fraction, desc=words), stop)
        with told_plainly() as told:
            # A seed that was cleared is None.
            done = separator.separate(int(sets), int(mixtures), int(seed or 0), report)
            grids = [to_uint8(grid) for grid in (done.mixtures, done.recovered, done.truth)]
            return [*grids, sentence(done.words)]
        return [gr.skip(), gr.skip(), gr.skip(), sentence(told.words)]

    hidden = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    start.click(visits.queue, None, [start, cancel], **hidden).then(
        separate,
        [sets, mixtures, seed],
        [*pictures, words],
        api_visibility="private",
        show_progress_on=pictures[:1],
        concurrency_id="restoring",
    ).then(idle, None, [start, cancel], **hidden)
    cancel.click(visits.stop, None, None, **hidden)
