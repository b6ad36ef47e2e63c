"""Decides which results belong to which images, before any work is done."""

import collections
from pathlib import Path

from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.listing import (
    IMAGE_SUFFIXES,
    list_images,
    report_other_files,
)
from inversenet_tf.imaging.files.written_photographs import FORMATS, SAME, result_suffix


def pair_with_targets(source, output, overwrite=False, format=SAME):
    """Pairs an image file, or all images below a directory, with results of the same names.

    Images whose results would share a name, such as `photo.png` and `photo.gif`, get
    `photo.png.png` and `photo.gif.png`.

    If `output` is inside the source, the results below it are not restored again.

    Args:
        source: file or directory.
        output: directory for the results; subdirectories of the source are kept.
        overwrite: whether a result that exists may be replaced.
        format: of the results, one of `FORMATS`.

    Returns:
        List of (path, target), both `Path`, sorted by path.

    Raises:
        ValueError: another format, an output that is the source, is not writable or has the name of
            an image, nothing to restore, two images with one result, or a result that exists or
            would replace one of the images; raised before anything is written.
    """
    check_choice("format", format, FORMATS)
    source, output = Path(source).expanduser(), Path(output).expanduser()
    if output.suffix.lower() in IMAGE_SUFFIXES and not output.exists():
        raise ValueError(
            f"Expected a directory for the results, which keep their names. Received: {output}"
        )
    check_writable(output)
    if source.is_dir():
        if source.resolve() == output.resolve():
            # A second call could not tell results from images.
            raise ValueError(
                f"Expected an output other than the input. Received: {output} as both."
            )
        report_other_files(source)
        pairs = _pairs(_images_outside(source, output), source, output, format)
    elif source.exists():
        pairs = _pairs([source], source.parent, output, format)
    else:
        raise ValueError(
            f"Expected a readable image or directory. Received: {source}, which does not exist"
        )
    _check_distinct(pairs)
    check_replaceable([target for _, target in pairs], [path for path, _ in pairs], overwrite)
    return pairs


def check_replaceable(results, images, overwrite):
    """Raises ValueError if a file to be written exists and must not be replaced.

    Args:
        results: list of the `Path` of every file to be written.
        images: list of the `Path` of every image that is read; none of them may be replaced.
        overwrite: whether other files may be replaced; directories may not.
    """
    existing = [result for result in results if result.exists()]
    if existing and not overwrite:
        raise ValueError(
            f"Expected results that do not exist yet, or --overwrite. Received: {existing[0]} "
            f"and {len(existing) - 1} more."
        )
    directories = [result for result in existing if result.is_dir()]
    if directories:
        raise ValueError(f"Expected results to be files. Received: {directories[0]}, a directory.")
    originals = {_identity(image) for image in images if image.exists()}  # a link may lead nowhere
    for result in existing:
        if _identity(result) in originals:
            raise ValueError(
                "Expected results that replace none of the images. Received an output that puts a "
                f"result at {result}."
            )


def _identity(path):
    """Returns the same value for every name of one file, even if the disk ignores case."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _images_outside(source, output):
    """Returns the images below `source`, without those below `output`."""
    paths = list_images(source)
    if source.resolve() in output.resolve().parents:
        results = output.resolve()
        paths = [path for path in paths if not path.resolve().is_relative_to(results)]
    if not paths:
        raise ValueError(f"Expected images below {source}. Received: none but those in {output}.")
    return paths


def _pairs(paths, root, output, format):
    """Pairs images with results; those that would share one keep their suffix in its name."""
    suffixes = [result_suffix(path, format) for path in paths]
    targets = [
        (output / path.relative_to(root)).with_suffix(suffix)
        for path, suffix in zip(paths, suffixes, strict=True)
    ]
    # The results of photo.PNG and photo.gif, photo.PNG and photo.png, are one file on many disks.
    keys = [target.with_suffix(target.suffix.lower()) for target in targets]
    counts = collections.Counter(keys)
    return [
        (path, target if counts[key] == 1 else target.with_name(path.name + suffix))
        for path, target, key, suffix in zip(paths, targets, keys, suffixes, strict=True)
    ]


def _check_distinct(pairs):
    counts = collections.Counter(target for _, target in pairs)
    twice = [str(target) for target, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"Expected images whose results differ in name. Received: {twice}")
