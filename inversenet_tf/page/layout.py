"""The layout of the page: its tabs and what their elements do."""

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from inversenet_tf.imaging.files.listing import IMAGE_SUFFIXES
from inversenet_tf.imaging.files.written_photographs import FORMATS
from inversenet_tf.models import kernel_use
from inversenet_tf.page.digits_tab import digits_tab
from inversenet_tf.page.limits import Progress
from inversenet_tf.page.look import about, card, sentence
from inversenet_tf.page.models import Models
from inversenet_tf.page.restoring import FILE, FIND, NONE, Outcome, Wish, Workshop
from inversenet_tf.page.visitors import Visits, idle, told_plainly

TITLE = "InverseNet"
LEAD = (
    "Upload a blurred photograph. Its blur is estimated from the photograph itself and removed. "
    "Everything stays on this machine."
)
KERNEL_CHOICES = {
    kernel_use.REQUIRED: (FIND, NONE, FILE),
    kernel_use.OPTIONAL: (FIND, NONE, FILE),
    kernel_use.NONE: (NONE,),
}
KERNEL_SUFFIXES = [".png", ".npy", ".mat"]


def build(
    workshop: Workshop,
    models: Models,
    examples: Sequence[tuple[Path, str]],
    separator=None,
) -> gr.Blocks:
    """Builds the page.

    Args:
        workshop: restores the uploads.
        models: to choose from.
        examples: (file, words) of example photographs.
        separator: a `digits.Separator`, or None for a page without its tab.
    """
    of_photographs, of_digits = Visits(), Visits()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 7200)) as page:
        gr.Markdown(f"# {TITLE}", elem_id="title")
        gr.Markdown(LEAD, elem_id="lead")
        if separator is None:
            PhotographTab(workshop, models, examples, of_photographs)
        else:
            with gr.Tab("Photographs"):
                PhotographTab(workshop, models, examples, of_photographs)
            with gr.Tab("Mixed digits"):
                digits_tab(separator, of_digits)
        for visits in (of_photographs, of_digits):
            page.unload(visits.leave)
    return page


class PhotographTab:
    """The tab to upload, restore, compare and download photographs."""

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
        self.about = gr.HTML(elem_id="about", visible=False, padding=False)
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
            self._finds_noise = gr.Checkbox(True, label="Estimate the noise")
            self._noise = gr.Slider(
                0.0,
                0.1,
                value=0.01,
                step=0.001,
                label="Noise",
                info="Standard deviation, where white is 1",
                visible=False,
            )
            self._format = gr.Dropdown(FORMATS, value=FORMATS[0], label="Format of the result")
        with gr.Row():
            self._start = gr.Button(
                "Restore", variant="primary", interactive=False, scale=3, elem_id="restore"
            )
            self._cancel = gr.Button("Cancel", interactive=False, scale=1, min_width=90)
        gr.Markdown("Or start with one of these:", elem_id="hint")
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
            [*shown, self.about, self._start],
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
        self._start.click(self._visits.queue, None, buttons, queue=False, **hidden).then(
            self._restore,
            [self._upload, self._model, *choices],
            shown,
            api_visibility="private",
            show_progress_on=[self._slider],
            concurrency_id="restoring",
            concurrency_limit=1,
        ).then(idle, None, buttons, queue=False, **hidden)
        self._cancel.click(self._visits.stop, None, None, queue=False, **hidden)

    def _received(self, path):
        """Shows an upload, or the reason why it is refused."""
        nothing = [gr.update(visible=False)] * 2
        if path is None:
            return [None, *nothing, gr.update(visible=False), gr.update(interactive=False)]
        with told_plainly(path) as told:
            preview, words = self._workshop.look_at(Path(path))
            both = (str(preview), str(preview))
            return [both, *nothing, about(words), gr.update(interactive=True)]
        refusal = about(told.words, "refused")
        return [None, *nothing, refusal, gr.update(interactive=False)]

    def _asked_for(self, name):
        """The choices of kernel for a model."""
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
        return [gr.skip(), gr.update(value=sentence(told.words), visible=True), gr.skip()]


def _shown(outcome: Outcome):
    return [
        (str(outcome.before), str(outcome.after)),
        gr.update(value=card(outcome), visible=True),
        gr.update(value=str(outcome.result), visible=True),
    ]


def _wants_file(kernel):
    return gr.update(visible=kernel == FILE)


def _wants_number(finds_noise):
    return gr.update(visible=not finds_noise)
