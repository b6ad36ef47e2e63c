"""Checks paths and adapts them to TensorFlow, which reads some as patterns and only takes UTF-8."""

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

PATTERN = re.compile(r"[*?\[\]\\]")  # characters that TensorFlow's readers take for a pattern's


@contextlib.contextmanager
def taken_literally(directory):
    """Yields a path to a directory without pattern characters, valid while the block runs.

    TensorFlow's checkpoint readers treat a path as a pattern, and so find nothing in `run[1]`.
    Writing works as it should.

    Args:
        directory: an existing directory.

    Yields:
        The path itself if it has no such characters, otherwise that of a link to it.
    """
    directory = Path(directory)
    if not PATTERN.search(str(directory)):
        yield directory
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "link"
        link.symlink_to(directory.absolute(), target_is_directory=True)
        yield link


def folders_in(place, base="."):
    """Splits `DIR,DIR` into a list of directories; the names of existing ones may have commas.

    Args:
        place: the part of a source's spec after the colon.
        base: the directory to which relative paths refer.

    Raises:
        ValueError: nothing stands before, between or behind the commas.
    """
    words, folders = place.split(","), []
    while words:
        counts = range(len(words), 0, -1)
        names = [",".join(words[:count]) for count in counts]
        present = (name for name in names if Path(base, os.path.expanduser(name)).is_dir())
        folders.append(next(present, words[0]))
        words = words[folders[-1].count(",") + 1 :]
    if not all(folders):  # an empty path is that of the current directory
        raise ValueError(f"Expected directories between the commas. Received: {place!r}")
    return folders


def canonical_source(spec, base="."):
    """Returns the same text for every spelling of an image source, with links resolved.

    Args:
        spec: as for `open_source`.
        base: the directory to which relative paths refer.
    """
    kind, _, place = spec.partition(":")
    if kind in ("folder", "pairs"):
        folders = folders_in(place, base)
    elif kind in ("prepared", "idx"):
        folders = [place]
    else:
        return spec
    return f"{kind}:{','.join(canonical_path(folder, base) for folder in folders)}"


def canonical_path(path, base="."):
    """Returns the same text for every spelling of a path, with links resolved; "" stays ""."""
    return path and os.path.realpath(os.path.join(base, os.path.expanduser(path)))


def check_outside(directory, *specs):
    """Raises ValueError for an empty path, or if results would lie among the images that are read.

    The next reader of the images would take the results for images.

    Args:
        directory: of the results.
        specs: of the sources; only folders and pairs are checked.
    """
    check_named(directory)
    place = canonical_path(directory)
    for spec in specs:
        kind, _, folders = canonical_source(spec).partition(":")
        for folder in folders_in(folders) if kind in ("folder", "pairs") else ():
            if os.path.commonpath([place, folder]) == folder:
                raise ValueError(
                    f"Expected a work directory outside of the images in {folder}. Received: "
                    f"{directory}"
                )


def check_regular(path):
    """Raises ValueError for a pipe, a socket or a device, reading which might never end."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"expected a file, received a pipe, a socket or a device: {path}")


def check_named(path):
    """Raises ValueError for an empty path, such as that of a variable that was not set."""
    if not os.fspath(path):
        raise ValueError("Expected a path (. for the current directory). Received: an empty text")


def check_utf8(path):
    """Raises ValueError for an empty path, or one not in UTF-8, which TensorFlow cannot use.

    Returns:
        The path as a `Path`.
    """
    check_named(path)
    path = Path(path).expanduser()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Expected a path in UTF-8, as TensorFlow takes no other. Received: {printable(path)}"
        ) from error
    return path


def printable(text):
    """Returns text in which bytes of a file name that are not UTF-8 are written as `\\udce9`."""
    return str(text).encode(errors="backslashreplace").decode()
