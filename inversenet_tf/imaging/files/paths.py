"""Paths as TensorFlow takes them: it reads some as patterns, and knows UTF-8 alone."""

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

PATTERN = re.compile(r"[*?\[\]\\]")  # what TensorFlow's readers take for part of one


@contextlib.contextmanager
def taken_literally(directory):
    """A path to a directory without any of the characters of a pattern, while the block runs.

    TensorFlow's readers of checkpoints look for files that match a path, and so find none in
    `run[1]`. What they write is where it should be.

    Args:
        directory: that exists.

    Yields:
        The path itself where it has none of them, or that of a link to it.
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
    """The directories that `DIR,DIR` names, in a list; what exists may have commas in its name.

    Args:
        place: of the source.
        base: the directory that relative paths begin at.
    """
    words, folders = place.split(","), []
    while words:
        counts = range(len(words), 0, -1)
        names = [",".join(words[:count]) for count in counts]
        present = (name for name in names if Path(base, os.path.expanduser(name)).is_dir())
        folders.append(next(present, words[0]))
        words = words[folders[-1].count(",") + 1 :]
    return folders


def canonical_source(spec, base="."):
    """The same text for every spelling of a source of images, of which links are none.

    Args:
        spec: as for `open_source`.
        base: the directory that relative paths begin at.
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
    """The same text for every spelling of a path; "" stays so."""
    return path and os.path.realpath(os.path.join(base, os.path.expanduser(path)))


def check_outside(directory, *specs):
    """Raises ValueError where results would be written among the images that are read.

    They would be taken for images by whoever reads these next.

    Args:
        directory: of the results.
        specs: of the sources of images.
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
    """Raises ValueError where a pipe, a socket or a device would be waited for, or never end."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"expected a file, received a pipe, a socket or a device: {path}")


def check_named(path):
    """Raises ValueError for an empty text, as of a variable that was not set: it is no place."""
    if not os.fspath(path):
        raise ValueError("Expected a path. Received: an empty text; the current directory is .")


def check_utf8(path):
    """Raises ValueError for a path that TensorFlow can neither write nor read, and for none.

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
    """Text in which bytes of a file's name that are not UTF-8 are written as `\\\\udce9`."""
    return str(text).encode(errors="backslashreplace").decode()
