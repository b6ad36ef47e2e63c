"""Writes results that are whole or absent, whatever interrupts the writing."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

import tensorflow as tf

from inversenet_tf.imaging.files.locks import LOCK_FILE, held

PARTIAL = ".partial-"  # prefix of directories that hold unfinished results


@contextlib.contextmanager
def written_aside(path):
    """Yields a temporary path to write to, which replaces `path` when the block has ended.

    Works for a file and for a directory; a directory must not exist yet. If the block fails,
    nothing is left behind, and what was at `path` is unchanged.

    Raises:
        ValueError: `path` is a device, a pipe or a socket, which would be replaced.
        OSError: the disk is full or read-only, even if it was TensorFlow that failed to write.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(
            f"Expected a file that can be replaced. Received: {path}, which is not one"
        )
    aside = partial_directory(path)
    # Two processes, or threads, that write the same path take turns.
    with held(aside, wait=True):
        _empty(aside)  # a killed process may have left something
        partial = aside / path.name
        try:
            yield partial
            for written in (partial, *partial.rglob("*")):
                _flush(written)
            os.replace(partial, path)
            _flush(path.parent)
        except tf.errors.OpError as error:
            raise OSError(f"Cannot write {path}: {error.message}") from error
        finally:
            _empty(aside)
    # It is still there if a killed process had left it; another process may have it now.
    with contextlib.suppress(OSError):
        aside.rmdir()


def partial_directory(path):
    """Returns the directory in which `written_aside` keeps what is to become `path`.

    Its name is short, whatever the name of `path`, and has no suffix.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
    return path.with_name(f"{PARTIAL}{digest[:16]}")


def check_writable(directory):
    """Raises ValueError if files cannot be written below a directory, which need not exist.

    Returns:
        The directory, or the nearest one above it that exists.
    """
    directory = Path(directory)
    existing = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        raise ValueError(f"Expected a directory to write to. Received: {directory}")
    return existing


def _flush(path):
    """Flushes a file or directory to the disk, in case the machine loses power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _empty(directory):
    """Removes everything in a directory but the lock."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()
