"""The page of a calibration's results, with its pictures."""

import html
import shlex

import numpy as np

from inversenet_tf.calibration.evidence import Evidence, evidence_of
from inversenet_tf.calibration.place import Place
from inversenet_tf.calibration.settings import Settings
from inversenet_tf.engine.workdir import versions
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.grids import comparison_figure
from inversenet_tf.imaging.files.images import ImageReadError, read_image
from inversenet_tf.imaging.files.paths import printable
from inversenet_tf.imaging.files.targets import pair_with_targets
from inversenet_tf.imaging.physics.kernel_estimate import KernelEstimate
from inversenet_tf.imaging.wording import counted
from inversenet_tf.restoration.unknown_blur import description_of

KERNELS_PICTURE, IMAGES_PICTURE = "kernels.png", "before_after.png"
ROWS = 4  # measurements to show
SHOWN_SIDE = 320  # pixels along each side, at most
MEASURED, AT_ONCE = "measured", "restored without training"
SPECIALISED = "restored by the specialised network"
SUSPICIOUS_MISFIT = 1.5  # of the noise
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "img{max-width:100%}td,th{padding:.2em 1em;text-align:left}"
    "pre{background:#eee;padding:.6em;overflow:auto}"
)


def write_report(settings: Settings, place: Place, estimate: KernelEstimate) -> dict[str, Evidence]:
    """Writes the page and its pictures.

    Returns:
        {images that are compared: their `Evidence`}, the measurements first.
    """
    folders = {AT_ONCE: place.at_once} | ({SPECIALISED: place.restored} if settings.minutes else {})
    pairs = {name: _pairs(settings, folder) for name, folder in folders.items()}
    known = (estimate.kernel, estimate.noise, settings.boundary)
    measured = [(path, path) for path, _ in pairs[AT_ONCE]]
    evidence = {
        name: evidence_of(files, *known) for name, files in ({MEASURED: measured} | pairs).items()
    }
    _draw_kernels(place.workdir / KERNELS_PICTURE, estimate)
    _draw_images(place.workdir / IMAGES_PICTURE, pairs)
    with written_aside(place.report) as partial:
        partial.write_text(_page(settings, place, estimate, evidence), errors="backslashreplace")
    return evidence


def _pairs(settings, folder):
    """The files (measurement, restoration) of the measurements that were restored."""
    pairs = pair_with_targets(settings.measurements, folder, True)
    return [(path, target) for path, target in pairs if target.is_file()]


def _draw_kernels(path, estimate):
    """Draws the estimate and the kernels that explain the measurements nearly as well."""
    greatest = estimate.plausible.max()
    captions = ["the estimate", *("also plausible" for _ in estimate.plausible[1:])]
    pictures = [kernel[..., np.newaxis] / greatest for kernel in estimate.plausible]
    comparison_figure(path, [list(zip(pictures, captions, strict=True))])


def _draw_images(path, pairs):
    """Draws a row for each measurement: it and its restorations."""
    rows = []
    restored = {name: dict(files) for name, files in pairs.items()}
    for measured in list(restored[AT_ONCE])[:ROWS]:
        try:
            row = [(_shown(measured), MEASURED)]
            row += [(_shown(files[measured]), name) for name, files in restored.items()]
        except (ImageReadError, KeyError):  # not every way restored each of them
            continue
        rows.append(row)
    comparison_figure(path, rows, width=3.2)


def _shown(path):
    """The middle of an image at full resolution, to show its sharpness."""
    image = read_image(path)
    top, left = (max(extent - SHOWN_SIDE, 0) // 2 for extent in image.shape[:2])
    return image[top : top + SHOWN_SIDE, left : left + SHOWN_SIDE]


def _page(settings, place, estimate, evidence):
    parts = [
        "<h1>Calibration</h1>",
        _paragraph(_summary(settings, estimate, evidence)),
        "<h2>The blur</h2>",
        f'<img src="{KERNELS_PICTURE}" alt="the kernel and other plausible ones">',
        _paragraph(
            f"{counted(len(estimate.plausible), 'kernel')} explain the measurements about equally "
            f"well; they differ from the estimate by {estimate.spread:.0%} of its size. "
            "kernel.npy holds the estimate, kernels.npy all of them."
        ),
        "<h2>Before and after</h2>",
        f'<img src="{IMAGES_PICTURE}" alt="measurements and restorations">',
        _table(evidence),
        *_use(settings, place),
        "<h2>How it was made</h2>",
        _paragraph(_provenance(settings, place)),
    ]
    head = f'<!doctype html><meta charset="utf-8"><title>Calibration</title><style>{STYLE}</style>'
    return "\n".join([head, *parts, ""])


def _paragraph(text):
    return f"<p>{html.escape(printable(text))}</p>"


def _summary(settings, estimate, evidence):
    measurements = counted(evidence[MEASURED].images, "measurement")
    text = f"{description_of(estimate)} Estimated from {measurements} in {settings.measurements}."
    if evidence[list(evidence)[-1]].misfit > SUSPICIOUS_MISFIT:
        text += (
            " The restorations, blurred again, differ from the measurements by more than the "
            "noise, so look at them before you trust them. Perhaps the measurements do not all "
            "share one blur."
        )
    return text


def _table(evidence):
    rows = "".join(
        f"<tr><td>{name}</td><td>{one.misfit:.2f}</td><td>{one.blur:.3f}</td></tr>"
        for name, one in evidence.items()
    )
    head = "<tr><th></th><th>misfit / noise</th><th>blur effect</th></tr>"
    return f"<table>{head}{rows}</table>" + _paragraph(
        "Neither needs the ground truth. Misfit: how far the images, blurred with the kernel, are "
        "from the measurements; the noise alone gives 1. Blur effect (Crete et al. 2007): from 0 "
        "(sharp) to 1."
    )


def _use(settings, place):
    """The section on how to use the results."""
    at = shlex.quote(printable(place.kernel))
    by = ""
    if settings.restores_class:
        sharp = shlex.quote(printable(settings.sharp_images))
        by = f"--preset={settings.model} --sharp_images={sharp} "
    commands = [f"inversenet restore {by}--kernel={at} --input=PHOTOGRAPHS --output=restored"]
    if settings.minutes:
        export = shlex.quote(printable(place.export))
        commands = [f"inversenet restore --export={export} --input=PHOTOGRAPHS --output=restored"]
    shown = html.escape("\n".join(commands))
    return ["<h2>More photographs of this camera</h2>", f"<pre>{shown}</pre>"]


def _provenance(settings, place):
    boundary = "wraps around" if settings.is_circular else "is that of a camera"
    text = f"The boundary {boundary}. Restored without training by {settings.model}"
    if settings.restores_class:
        text += ", with the mean and the covariance of the sharp images"
    text += "."
    if settings.sharp_images is not None:
        text += f" The kernel was estimated with the sharp images in {settings.sharp_images}."
    if settings.minutes:
        facts = place.facts
        began = f"the weights of {settings.run}" if settings.run else "random weights"
        text += (
            f" The network for this blur started from {began} and was trained for "
            f"{counted(facts['exported_steps'], 'step')} ({settings.minutes:g} min at "
            f"{facts['seconds_per_step']:.3f} s a step) on {facts['images']}."
        )
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{text} Versions: {made_with}."
