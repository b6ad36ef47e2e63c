"""Restores a photograph, or every photograph in a folder, of any kind and size.

inversenet restore --input=blurred.jpg --output=restored/
inversenet restore --preset=closed_form --input=blurred.jpg --output=restored/
inversenet restore --workdir=runs/demo --input=blurred.jpg --output=restored/
inversenet restore --export=runs/demo/export/deblur --input=photos --output=restored --compare
inversenet restore --workdir=runs/any_blur --kernel=shake.png --noise=0.01 --boundary=reflect \
    --input=blurred.jpg --output=restored
inversenet restore --workdir=runs/any_blur --kernel=auto --boundary=reflect \
    --input=photos --output=restored
inversenet restore --export=models/deblur --input=photos --output=restored \
    --runner=direct --beam_options="--direct_num_workers=4"

Without a run or an export, the preset "any_blur" is used, a network that ships with the
package. For a preset that needs a kernel, --kernel gives it; by default, the kernel is
estimated from each photograph.
"""

import functools
import shlex
from pathlib import Path

from absl import flags

import inversenet_tf.tensorflow_without_keras  # noqa: F401 # isort: skip (first: for a quick start)
from inversenet_tf.command_line import run  # isort: skip (then: it quiets TensorFlow)
from inversenet_tf.imaging.config import BOUNDARIES
from inversenet_tf.imaging.files.listing import list_images
from inversenet_tf.imaging.files.memory import memory_limit
from inversenet_tf.imaging.files.written_photographs import FORMATS, SAME
from inversenet_tf.imaging.wording import counted
from inversenet_tf.models import kernel_use
from inversenet_tf.quiet_tensorflow import import_keras
from inversenet_tf.restoration.closed_form import NAME as CLOSED_FORM
from inversenet_tf.restoration.exported_restorer import ExportedRestorer
from inversenet_tf.restoration.footprint import resident_bytes
from inversenet_tf.restoration.model_restorer import ModelRestorer
from inversenet_tf.restoration.photographs import restore_files
from inversenet_tf.shipped import preset_folder

AUTO = "auto"  # instead of a kernel's file
DEFAULT_PRESET = "any_blur"

WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
EXPORT = flags.DEFINE_string("export", None, "Directory of an export, instead of a run.")
PRESET = flags.DEFINE_string(
    "preset",
    None,
    f"Name of a network that ships with the package, or {CLOSED_FORM} to restore without a "
    f"network. Default: {DEFAULT_PRESET}, if neither a run nor an export is given.",
)
TRUST_EXPORT = flags.DEFINE_bool(
    "trust_export",
    False,
    "Run an export even if its graphs do more than compute, which makes it a program.",
)
INPUT = flags.DEFINE_string("input", None, "Image file or directory of images.", required=True)
OUTPUT = flags.DEFINE_string("output", None, "Directory for the results.", required=True)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace existing results.")
SKIP_EXISTING = flags.DEFINE_bool(
    "skip_existing", False, "Skip images that already have a result, to resume an interrupted run."
)
MAX_MEMORY = flags.DEFINE_string(
    "max_memory",
    None,
    "Memory that restoring one image may take, such as 2GiB, 500MB or a number of bytes; larger "
    "images are restored in tiles. Default: half of the free memory.",
)
KERNEL = flags.DEFINE_string(
    "kernel",
    None,
    "File of the blur kernel (.png, .npy or .mat), for a model that takes one; or auto to estimate "
    "it from each photograph and leave photographs that show no blur unchanged.",
)
KERNEL_INDEX = flags.DEFINE_integer(
    "kernel_index",
    0,
    "Index, from 0, of the kernel in a .mat file that holds several.",
    lower_bound=0,
)
SHARED_KERNEL = flags.DEFINE_bool(
    "shared_kernel",
    False,
    "With --kernel=auto and a folder: estimate one kernel for all images, as for a single camera "
    "shake.",
)
SHARP_IMAGES = flags.DEFINE_string(
    "sharp_images",
    None,
    "With --kernel=auto: directory of sharp images of the same class, size and framing, such as "
    f"aligned faces. Needs --boundary=circular or --preset={CLOSED_FORM}; the latter also restores "
    "with them, and then accepts a kernel file, too.",
)
NOISE = flags.DEFINE_float(
    "noise",
    None,
    "With --kernel: standard deviation of the sensor noise, where white is 1. By default it is "
    "estimated from each photograph; when upsampling, it is that of rounding to 8 bits.",
    lower_bound=0.0,
    upper_bound=1.0,
)
BOUNDARY = flags.DEFINE_enum(
    "boundary",
    None,
    (*BOUNDARIES, "camera"),
    "With --workdir: what is assumed beyond the frame. For photographs, where nothing is known "
    "there, use reflect or camera, which are the same. Default: the boundary of the training.",
)
GAMMA = flags.DEFINE_float(
    "gamma",
    1.0,
    "Gamma of the files' encoding: light, which is what gets blurred, is the pixel value to this "
    "power. About 2.2 for files of most cameras; 1 treats the values as light.",
    lower_bound=0.1,
    upper_bound=10.0,
)
FORMAT = flags.DEFINE_enum(
    "format",
    SAME,
    FORMATS,
    "File format of the results; same keeps PNG, JPEG and TIFF and writes the rest as PNG.",
)
COMPARE = flags.DEFINE_bool(
    "compare", False, "Also write each input and result side by side into OUTPUT/comparisons."
)
RUNNER = flags.DEFINE_string(
    "runner",
    None,
    "With --export: restore in an Apache Beam pipeline with this runner: direct for processes on "
    "this machine, dask, or another that Beam knows. OUTPUT/report.csv lists images that failed.",
)
BEAM_OPTIONS = flags.DEFINE_string(
    "beam_options",
    "",
    "With --runner: options of Beam and the runner as one string, such as --direct_num_workers=4.",
)

flags.mark_flags_as_mutual_exclusive(["workdir", "export", "preset"])
flags.mark_bool_flags_as_mutual_exclusive(["overwrite", "skip_existing"])


def main():
    max_memory = memory_limit(MAX_MEMORY.value)
    restore = _way_of_restoring()
    _check_flags_for(KERNEL.value or AUTO)  # first, for what is wrong with them in any case
    restorer = _restorer()
    if GAMMA.value != 1:
        from inversenet_tf.restoration.linear_light import LinearLightRestorer

        restorer = LinearLightRestorer(restorer, GAMMA.value)
    restorer = _told(restorer)
    restorer.spec  # noqa: B018 (worked out now, as what follows is measured)
    idle, _ = resident_bytes()
    restored, skipped = restore(
        restorer,
        INPUT.value,
        OUTPUT.value,
        overwrite=OVERWRITE.value,
        max_memory=max_memory,
        compare=COMPARE.value,
        skip_existing=SKIP_EXISTING.value,
        format=FORMAT.value,
    )
    images = counted(len(restored), "image")
    print(f"{images} restored into {OUTPUT.value}, {len(skipped)} skipped.")
    _, peak = resident_bytes()
    if peak is not None and RUNNER.value is None:  # Beam's workers have memory of their own
        print(f"Peak memory beyond the idle process: {max(peak - idle, 0) / 2**20:.0f} MiB.")


def _way_of_restoring():
    """Returns the function that restores the files: `restore_files`, or its counterpart by Beam."""
    if RUNNER.value is None:
        if BEAM_OPTIONS.value:
            raise ValueError(
                f"Expected --beam_options with --runner. Received: {BEAM_OPTIONS.value}"
            )
        return restore_files
    if EXPORT.value is None:
        raise ValueError(
            "Expected --export with --runner, as each worker loads the export itself; inversenet "
            "export makes one from a run or a preset. Received: --runner without --export"
        )
    try:
        from inversenet_tf.restoration.beam_pipeline import restore_files_by_beam
    except ImportError as error:
        raise ValueError(str(error)) from error
    return functools.partial(
        restore_files_by_beam, runner=RUNNER.value, options=shlex.split(BEAM_OPTIONS.value)
    )


def _restorer():
    """Returns the restorer that the flags name; without any, that of the default preset."""
    if BOUNDARY.value is not None and WORKDIR.value is None:
        raise ValueError(
            "Expected --boundary with --workdir, as an export keeps the boundary it was made with, "
            "and a preset assumes nothing about what is beyond the frame. Received: "
            f"--boundary={BOUNDARY.value} without --workdir"
        )
    if EXPORT.value is not None:
        return ExportedRestorer(EXPORT.value, TRUST_EXPORT.value)
    if WORKDIR.value is not None:
        import_keras()
        # Imported here, as an export needs no networks.
        from inversenet_tf.trained_run import kept_degradation, load_trained

        boundary = "reflect" if BOUNDARY.value == "camera" else BOUNDARY.value
        model, config, _ = load_trained(WORKDIR.value, boundary=boundary)
        return ModelRestorer(model, kept_degradation(WORKDIR.value, config))
    name = PRESET.value or DEFAULT_PRESET
    if name != CLOSED_FORM:
        preset_folder(name, CLOSED_FORM)  # raises before anything slow
        import_keras()
    from inversenet_tf.loading import load  # needs Keras, which an export does not

    if SHARP_IMAGES.value is None:
        return load(name)
    if KERNEL.value not in (None, AUTO):
        _kernel_of_file()  # raises before anything slow
    return load(name, image_model=_image_model("circular"))


def _check_flags_for(kernel):
    """Raises ValueError for flags without effect, or sharp images that would be read in vain.

    Args:
        kernel: as --kernel names it, or None where the model restores without one.
    """
    if SHARED_KERNEL.value and kernel != AUTO:
        raise ValueError(f"Expected --shared_kernel with --kernel=auto. Received: {kernel}")
    if SHARP_IMAGES.value is None:
        return
    if kernel != AUTO and PRESET.value != CLOSED_FORM:
        raise ValueError(f"Expected --sharp_images with --kernel=auto. Received: {kernel}")
    if WORKDIR.value is None and EXPORT.value is None and PRESET.value != CLOSED_FORM:
        raise ValueError(
            f"Expected --sharp_images with --preset={CLOSED_FORM}, or with a run or an export "
            f"whose boundary is circular. Received: the preset {PRESET.value or DEFAULT_PRESET}"
        )
    source = Path(INPUT.value).expanduser()
    if not source.exists():
        raise ValueError(
            f"Expected a readable image or directory. Received: {source}, which does not exist"
        )


@functools.cache
def _kernel_of_file():
    from inversenet_tf.imaging.physics.kernels import from_file  # needs readers of kernel files

    return from_file(KERNEL.value, KERNEL_INDEX.value)


@functools.cache
def _image_model(boundary):
    from inversenet_tf.restoration import unknown_blur  # only for a search

    return unknown_blur.model_of_class(SHARP_IMAGES.value, boundary, GAMMA.value)


def _told(restorer):
    """Returns the restorer with the flags' kernel and noise, where it needs or takes them."""
    named = WORKDIR.value is not None or EXPORT.value is not None
    finds = not named and restorer.kernel_use == kernel_use.REQUIRED
    kernel = KERNEL.value or (AUTO if finds else None)
    _check_flags_for(kernel)
    if kernel == AUTO:
        return _finding_blurs(restorer)
    if kernel is None and NOISE.value is None:
        if restorer.kernel_use == kernel_use.REQUIRED:
            raise ValueError(f"{kernel_use.IS_MISSING} as --kernel")
        return restorer
    kernel = None if kernel is None else _kernel_of_file()
    if kernel is None or NOISE.value is not None:
        return restorer.told(kernel, NOISE.value)
    from inversenet_tf.restoration.unknown_blur import with_kernel  # only for an estimate

    return with_kernel(restorer, kernel, boundary=_boundary_of(restorer), gamma=GAMMA.value)


def _boundary_of(restorer):
    """The boundary that the search for a kernel or for the noise assumes."""
    # An export keeps the boundary of its training, but is used for photographs all the same.
    tells = EXPORT.value is None or SHARP_IMAGES.value is not None
    return "circular" if tells and restorer.spec.boundary == "circular" else "camera"


def _finding_blurs(restorer):
    from inversenet_tf.restoration import unknown_blur  # only for a search

    unknown_blur.check_can_be_told(restorer)  # before a search
    boundary, model = _boundary_of(restorer), None
    if SHARP_IMAGES.value is not None:
        model = _image_model(boundary)
    shared, source = None, Path(INPUT.value).expanduser()
    if SHARED_KERNEL.value:
        paths = list_images(source) if source.is_dir() else [source]
        shared = unknown_blur.shared_blur(paths, boundary, GAMMA.value, image_model=model)
    return unknown_blur.UnknownBlurRestorer(
        restorer, NOISE.value, shared, boundary=boundary, gamma=GAMMA.value, image_model=model
    )


if __name__ == "__main__":
    run(main)
