"""Records which images a run began with, so that later changes to them are noticed.

For each image, its name and its file's size and modification time are kept: to stat a million files
takes seconds, to read them hours.
"""

import os
from pathlib import Path

import numpy as np
from absl import logging

from inversenet_tf.imaging.data.sources import ImageSource
from inversenet_tf.imaging.files.arrays import read_arrays
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.paths import canonical_source, printable

INVENTORY_FILE = "images.npz"
BETWEEN = b"\0"  # which no path contains
FIELDS = ("place", "names", "sizes", "times")
# What it means when the images of a role have changed.
MEANING = {
    "training": "The run continues with those that are there now.",
    "validation": "Scores from before and after, by which the best checkpoint is chosen, are of "
    "different images.",
}


def inventory_of(source: ImageSource) -> dict[str, np.ndarray]:
    """Returns a source's place and its images' names, sizes in bytes and times in nanoseconds."""
    files = [*source.files, *source.measured_files]
    names = [os.fsencode(name) for name in source.names]
    names += [os.fsencode(path) for path in source.measured_files]
    known = [_state(path) for path in files] or source.marks or [(0, 0)] * len(names)
    states = np.array(known, np.int64)
    return {
        "place": _bytes(os.fsencode(canonical_source(source.spec))),
        "names": _bytes(BETWEEN.join(names)),
        "sizes": states[:, 0],
        "times": states[:, 1],
    }


def notice_changes(workdir: Path, sources: dict[str, ImageSource], is_new: bool) -> None:
    """Warns of changes to the images that a run began with, and records those of a new run.

    A source at another place, which the caller must have asked for, is recorded anew.

    Args:
        workdir: the run's work directory.
        sources: {"training": source, "validation": source}.
        is_new: whether the run begins now.
    """
    path = workdir / INVENTORY_FILE
    kept = {} if is_new else _kept(path, sources)
    present = {role: inventory_of(source) for role, source in sources.items()}
    for role, before in kept.items():
        if np.array_equal(before["place"], present[role]["place"]):
            _warn(role, before, present[role])
            present[role] = before
    if not _are_equal(present, kept):
        flat = {
            f"{role}_{name}": array for role in present for name, array in present[role].items()
        }
        with written_aside(path) as partial:
            np.savez_compressed(partial, **flat)


def _warn(role, before, now):
    """Logs how many images are new, gone or changed, and names one."""
    keys = ("names", "sizes", "times")
    if all(np.array_equal(before[key], now[key]) for key in keys):
        return
    old, new = _states(before), _states(now)
    added, removed = new.keys() - old.keys(), old.keys() - new.keys()
    changed = [name for name in new.keys() & old.keys() if new[name] != old[name]]
    others = added or removed or changed
    if not others:
        return
    logging.warning(
        "The %s images are no longer those that the run was started with: %d new, %d gone, "
        "%d changed, among them %s. %s",
        *(role, len(added), len(removed), len(changed), printable(os.fsdecode(min(others)))),
        MEANING[role],
    )


def _kept(path, sources):
    """Returns {role: inventory} from a file, empty where it is missing or damaged."""
    if not path.is_file():
        return {}
    try:
        arrays = read_arrays(path)
        return {role: {name: arrays[f"{role}_{name}"] for name in FIELDS} for role in sources}
    except (ValueError, KeyError, OSError) as error:
        logging.warning("Cannot read which images the run was started with: %s: %s", path, error)
        return {}


def _are_equal(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[role][name], other[role][name]) for role in one for name in FIELDS
    )


def _state(path):
    try:
        status = os.stat(path)
    except OSError:  # removed since it was listed
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _states(inventory):
    """Returns {name: (size, time)} from an inventory."""
    names = inventory["names"].tobytes().split(BETWEEN)
    states = zip(inventory["sizes"].tolist(), inventory["times"].tolist(), strict=False)
    return dict(zip(names, states, strict=False))


def _bytes(content):
    return np.frombuffer(content, np.uint8)
