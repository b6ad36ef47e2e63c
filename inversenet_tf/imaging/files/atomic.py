"""Results that are whole or absent, whatever interrupts their writing."""

import contextlib
import os
import shutil
from pathlib import Path

import tensorflow as tf


@contextlib.contextmanager
def written_aside(path):
    """Gives a path to write to, which takes the place of `path` when the block has ended.

    Works for a file and for a directory; a directory must not exist yet. If the block fails,
    nothing stays behind, and what stood at `path` still stands.

    Raises:
        OSError: the disk is full or read-only, also where TensorFlow says so in its own way.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    _remove(partial)
    try:
        yield partial
        for written in (partial, *partial.rglob("*")):
            _flush(written)
        os.replace(partial, path)
        _flush(path.parent)
    except tf.errors.OpError as error:
        _remove(partial)
        raise OSError(f"Cannot write {path}: {error.message}") from error
    except BaseException:
        _remove(partial)
        raise


def check_writable(directory):
    """Raises ValueError where files cannot be written below a directory, which need not exist.

    Returns:
        The directory, or the nearest one above it that exists.
    """
    directory = Path(directory)
    existing = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        raise ValueError(f"Expected a directory to write to. Received: {directory}")
    return existing


def _flush(path):
    """Has the disk itself hold a file or directory: a machine may lose its power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
