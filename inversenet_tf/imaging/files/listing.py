"""Finds and checks the images below a directory, and reports what is left out."""

import collections
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absl import logging
from tqdm import tqdm

from inversenet_tf.imaging.files import kinds
from inversenet_tf.imaging.files.images import ImageReadError, decoded_size, upright_size
from inversenet_tf.imaging.files.memory import Budget
from inversenet_tf.imaging.wording import counted

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".mpo",
    ".jp2",
    ".j2k",
    ".avif",
    ".heic",
    ".heif",
    ".hif",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pnm",
)
DECODED_CHECKS = 20_000
CHECK_BYTES = 2**29  # of memory, for all images that are checked at the same time
NAMED_SKIPS = 20  # skipped files that are named one by one


def _is_named_image(path):
    return path.suffix.lower() in IMAGE_SUFFIXES


def files_below(directory):
    """Returns all files below a directory, recursively, sorted by path.

    A folder with an image's suffix is listed, too, so that it can be reported as no image.

    Links to directories are followed, but each directory is visited once, so that loops end. Names
    that begin with a dot are left out: other programs' notes and copies, or what a killed process
    left behind. Folders that cannot be read are logged and left out.
    """
    files, seen = [], set()
    for folder, subfolders, names in os.walk(directory, onerror=_log_skipped, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names += [name for name in subfolders if _is_named_image(Path(name))]
        files += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(files)


def _log_skipped(error):
    logging.warning("Skipped: %s", error)


def list_images(directory):
    """Returns all image files below `directory`, recursively, sorted by path.

    Raises:
        ValueError: the directory is missing or holds no file with an image's suffix.
    """
    directory = Path(directory).expanduser()
    if not directory.is_dir():
        raise ValueError(
            f"Expected a directory of images. Received: {directory}, which is not one."
        )
    present = files_below(directory)
    paths = [path for path in present if _is_named_image(path)]
    if not paths:
        files = counted(len(present), "other file") if present else "none"
        refusals = sorted({reason for reason in map(kinds.why_refused, present) if reason})
        files = "; ".join([files, *refusals])
        raise ValueError(
            f"Expected images ({' '.join(IMAGE_SUFFIXES)}) below {directory}. Received: {files}."
        )
    return paths


def inspect_images(paths):
    """Reads every file once, on all cores, so that broken ones are found before training.

    Images that are decoded at the same time take at most `CHECK_BYTES` together, unless one alone
    takes more. With more than `DECODED_CHECKS` files only the headers are read, which takes seconds
    instead of hours, but does not detect truncated files.

    Args:
        paths: image files.

    Returns:
        (sizes, faults): a dict from each readable path to its (height, width), and one from each
        other path to what is wrong with it.
    """
    budget = Budget(CHECK_BYTES)

    def size_of(path):
        if len(paths) > DECODED_CHECKS:
            return upright_size(path)
        return decoded_size(path, budget=budget)

    def size_or_fault(path):
        try:
            return size_of(path)
        except ImageReadError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        results = pool.map(size_or_fault, paths)
        results = tqdm(results, "checking images", len(paths), leave=False, delay=2.0)
        results = dict(zip(paths, results, strict=True))
    sizes = {path: size for path, size in results.items() if isinstance(size, tuple)}
    faults = {path: fault for path, fault in results.items() if isinstance(fault, str)}
    return sizes, faults


def usable_images(paths, minimum_side):
    """Selects the readable images of at least `minimum_side` pixels a side.

    Returns:
        (usable, skipped): a list of paths, and a dict from each other path to the reason.
    """
    sizes, faults = inspect_images(paths)
    skipped = faults | small_images(sizes, minimum_side)
    return [path for path in paths if path not in skipped], skipped


def small_images(sizes, minimum_side):
    """Returns {name: reason} for the images with a side of less than `minimum_side` pixels.

    Args:
        sizes: a dict from a name or path to its (height, width).
        minimum_side: in pixels.
    """
    return {
        name: f"{name} is {height}x{width}, smaller than {minimum_side} pixels."
        for name, (height, width) in sizes.items()
        if min(height, width) < minimum_side
    }


def report_skipped(place, used, skipped, minimum_side):
    """Logs which images of a place are left out and why, the first few by name.

    Args:
        place: where the images are.
        used: the number of images that are not left out.
        skipped: {name: reason} of those that are.
        minimum_side: the side in pixels that was required.

    Raises:
        ValueError: all are left out.
    """
    reasons = list(skipped.values())
    if not used:
        raise ValueError(
            f"Expected images of at least {minimum_side} pixels a side below {place}. "
            f"Received: {counted(len(reasons), 'file')}, none usable; the first: {reasons[0]}"
        )
    for reason in reasons[:NAMED_SKIPS]:
        logging.warning("Skipped: %s", reason)
    if reasons:
        logging.warning("%s: %s used, %d skipped.", place, counted(used, "image"), len(reasons))


def report_other_files(directory):
    """Logs how many files below a directory `list_images` ignores, and why."""
    others = [p for p in files_below(directory) if p.is_file() and not _is_named_image(p)]
    by_reason = collections.defaultdict(list)
    for path in others:
        by_reason[kinds.why_refused(path)].append(path)
    if plain := by_reason.pop(None, []):
        files = counted(len(plain), "file")
        logging.warning("%s: %s without an image suffix ignored.", directory, files)
    for reason, paths in by_reason.items():
        files = counted(len(paths), "file")
        logging.warning("%s: %s ignored (%s first): %s.", directory, files, paths[0].name, reason)
