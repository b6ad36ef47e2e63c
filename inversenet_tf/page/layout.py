"""How the page looks, and which of its parts does what."""

import base64
import html
import threading
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from inversenet_tf.imaging.files.listing import IMAGE_SUFFIXES
from inversenet_tf.imaging.files.pixels import to_uint8
from inversenet_tf.imaging.files.written_photographs import FORMATS, png_bytes
from inversenet_tf.models import kernel_use
from inversenet_tf.page.limits import Cancelled, Progress, for_visitors
from inversenet_tf.page.models import Models
from inversenet_tf.page.restoring import FILE, FIND, NONE, Outcome, Wish, Workshop
from inversenet_tf.restoration.unknown_blur import picture_of

TITLE = "InverseNet"
LEAD = (
    "Drop a blurred photograph. Its blur is found from the photograph itself, and taken out. "
    "Everything stays on this machine."
)
KERNEL_CHOICES = {
    kernel_use.REQUIRED: (FIND, NONE, FILE),
    kernel_use.OPTIONAL: (FIND, NONE, FILE),
    kernel_use.NONE: (NONE,),
}
KERNEL_SUFFIXES = [".png", ".npy", ".mat"]
LOW, FAIR = 0.35, 0.7  # confidences where words and colour of the meter change
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
    """Of fonts that the machine has itself: nothing is fetched."""
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    return gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        font=fonts,
        font_mono=("ui-monospace", "monospace"),
    )


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


def build(
    workshop: Workshop,
    models: Models,
    examples: Sequence[tuple[Path, str]],
    separator=None,
) -> gr.Blocks:
    """The page.

    Args:
        workshop: restores the uploads.
        models: to choose from.
        examples: (file, words) of photographs to begin with.
        separator: a `digits.Separator`, or None for a page without that tab.
    """
    visits = Visits()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 7200)) as page:
        gr.Markdown(f"# {TITLE}", elem_id="title")
        gr.Markdown(LEAD, elem_id="lead")
        if separator is None:
            PhotographTab(workshop, models, examples, visits)
        else:
            with gr.Tab("Photographs"):
                PhotographTab(workshop, models, examples, visits)
            with gr.Tab("Mixed digits"):
                _digits_tab(separator, visits)
        page.unload(visits.stop)
    return page


class PhotographTab:
    """Drop, choose, restore, compare, download."""

    def __init__(self, workshop, models, examples, visits):
        self._workshop, self._models, self._visits = workshop, models, visits
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self._inputs(examples)
            with gr.Column(scale=5, min_width=420):
                self._outputs()
        self._connect([str(path) for path, _ in examples])

    def _inputs(self, examples):
        self._upload = gr.File(
            label="Photograph", file_types=list(IMAGE_SUFFIXES), height=120, elem_id="upload"
        )
        self._about = gr.HTML(elem_id="about", visible=False, padding=False)
        names = self._models.names
        with gr.Group():
            self._model = gr.Dropdown(names, value=names[0], label="Model")
            self._kernel = gr.Radio(
                KERNEL_CHOICES[kernel_use.REQUIRED], value=FIND, label="Blur", elem_id="blur"
            )
        self._kernel_file = gr.File(
            label="Kernel (.png, .npy, .mat)",
            file_types=KERNEL_SUFFIXES,
            height=100,
            visible=False,
            elem_id="kernel_file",
        )
        with gr.Accordion("Noise and format", open=False):
            self._finds_noise = gr.Checkbox(True, label="Find the noise, too")
            self._noise = gr.Slider(
                0.0,
                0.1,
                value=0.01,
                step=0.001,
                label="Noise",
                info="Standard deviation, of white as 1",
                visible=False,
            )
            self._format = gr.Dropdown(FORMATS, value=FORMATS[0], label="Format of the result")
        with gr.Row():
            self._start = gr.Button(
                "Restore", variant="primary", interactive=False, scale=3, elem_id="restore"
            )
            self._cancel = gr.Button("Cancel", interactive=False, scale=1, min_width=90)
        gr.Markdown("Or begin with one of these:", elem_id="hint")
        self._gallery = gr.Gallery(
            [(str(path), words) for path, words in examples],
            show_label=False,
            columns=2,
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            buttons=[],
            container=False,
            elem_id="examples",
        )

    def _outputs(self):
        self._slider = gr.ImageSlider(
            label="Before and after",
            interactive=False,
            type="filepath",
            max_height=540,
            buttons=["fullscreen"],
            elem_id="slider",
        )
        self._found = gr.HTML(visible=False, elem_id="found", padding=False)
        self._download = gr.DownloadButton(
            "Download the result", variant="primary", visible=False, elem_id="download"
        )

    def _connect(self, example_paths):
        hidden = {"api_visibility": "private", "show_progress": "hidden"}
        choices = [self._kernel, self._kernel_file, self._finds_noise, self._noise, self._format]
        shown = [self._slider, self._found, self._download]
        self._upload.change(
            self._received,
            [self._upload],
            [*shown, self._about, self._start],
            api_visibility="private",
            show_progress_on=[self._slider],
        )

        def chosen(event: gr.SelectData):
            return example_paths[event.index]

        self._gallery.select(chosen, None, self._upload, **hidden)
        self._model.change(self._asked_for, [self._model], [self._kernel], **hidden)
        self._kernel.change(_wants_file, [self._kernel], [self._kernel_file], **hidden)
        self._finds_noise.change(_wants_number, [self._finds_noise], [self._noise], **hidden)
        buttons = [self._start, self._cancel]
        self._start.click(_busy, None, buttons, queue=False, **hidden).then(
            self._restore,
            [self._upload, self._model, *choices],
            shown,
            api_visibility="private",
            show_progress_on=[self._slider],
            concurrency_id="restoring",
            concurrency_limit=1,
        ).then(_idle, None, buttons, queue=False, **hidden)
        self._cancel.click(self._visits.stop, None, None, queue=False, **hidden)

    def _received(self, path):
        """Shows an upload, or why it is refused."""
        nothing = [gr.update(visible=False)] * 2
        if path is None:
            return [None, *nothing, gr.update(visible=False), gr.update(interactive=False)]
        with told_plainly(path) as told:
            preview, words = self._workshop.look_at(Path(path))
            both = (str(preview), str(preview))
            return [both, *nothing, _about(words), gr.update(interactive=True)]
        refusal = _about(told.words, "refused")
        return [None, *nothing, refusal, gr.update(interactive=False)]

    def _asked_for(self, name):
        """The kernels that a model takes."""
        with told_plainly() as told:
            choices = KERNEL_CHOICES[self._models[name].kernel_use]
            return gr.update(choices=choices, value=choices[0])
        raise gr.Error(told.words, title="Model")

    def _restore(
        self,
        path,
        model,
        kernel,
        kernel_file,
        finds_noise,
        noise,
        format,
        request: gr.Request,
        progress=gr.Progress(),  # noqa: B008 (so that Gradio finds it)
    ):
        stop = self._visits.begin(request)
        report = Progress(lambda fraction, words: progress(fraction, desc=words), stop)
        wish = Wish(kernel, kernel_file, None if finds_noise else noise, format)
        with told_plainly(path, kernel_file) as told:
            restorer = self._models[model]
            return _shown(self._workshop.restore(Path(path), restorer, wish, report))
        return [gr.skip(), gr.update(value=_sentence(told.words), visible=True), gr.skip()]


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


def _shown(outcome: Outcome):
    return [
        (str(outcome.before), str(outcome.after)),
        gr.update(value=_card(outcome), visible=True),
        gr.update(value=str(outcome.result), visible=True),
    ]


def _card(outcome):
    """The kernel, how far it is to be trusted, and what was done."""
    picture = ""
    if outcome.kernel is not None and outcome.kernel.size > 1:
        content = png_bytes(to_uint8(picture_of(outcome.kernel)))
        source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        picture = f'<img class="kernel" alt="The kernel" src="{source}">'
    words = _meter(outcome.confidence) + _sentence(outcome.words)
    return f'<div class="card">{picture}<div class="words">{words}</div></div>'


def _meter(confidence):
    """A bar for how far the kernel is to be trusted."""
    if confidence is None:
        return ""
    colour = "#dc2626" if confidence < LOW else "#d97706" if confidence < FAIR else "#16a34a"
    return (
        f'<div class="label"><span>Confidence in the kernel</span><span>{confidence:.0%}</span>'
        f'</div><div class="meter"><div style="width: {confidence:.0%}; background: {colour}">'
        "</div></div>"
    )


def _sentence(words):
    return f"<div>{html.escape(words)}</div>"


def _about(words, kind="facts"):
    return gr.update(value=f'<div class="{kind}">{html.escape(words)}</div>', visible=True)


def _wants_file(kernel):
    return gr.update(visible=kernel == FILE)


def _wants_number(finds_noise):
    return gr.update(visible=not finds_noise)


def _busy():
    return gr.update(interactive=False), gr.update(interactive=True)


def _idle():
    return gr.update(interactive=True), gr.update(interactive=False)


def _digits_tab(separator, visits):
    gr.Markdown(
        "Three handwritten digits are added with weights that nobody knows, and only the absolute "
        "value of each sum is seen. A search with a GAN of digits takes them apart.",
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
                for label in ("What is seen", "Recovered", "True digits")
            ]

    def separate(sets, mixtures, seed, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        stop = visits.begin(request)
        report = Progress(lambda fraction, words: progress(fraction, desc=words), stop)
        with told_plainly() as told:
            done = separator.separate(int(sets), int(mixtures), int(seed), report)
            grids = [to_uint8(grid) for grid in (done.mixtures, done.recovered, done.truth)]
            return [*grids, _sentence(done.words)]
        return [gr.skip(), gr.skip(), gr.skip(), _sentence(told.words)]

    hidden = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    start.click(_busy, None, [start, cancel], **hidden).then(
        separate,
        [sets, mixtures, seed],
        [*pictures, words],
        api_visibility="private",
        show_progress_on=pictures[:1],
        concurrency_id="restoring",
    ).then(_idle, None, [start, cancel], **hidden)
    cancel.click(visits.stop, None, None, **hidden)
