"""Directories that one process at a time works in."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import uuid
from pathlib import Path

from absl import logging

LOCK_FILE = ".lock"
LONGEST_COMMAND = 200  # characters of it that are shown
ATTEMPTS = 100  # to make a directory and its lock file, which others may remove meanwhile
# How a disk says that it has no locks, as some of a network do.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class InUse(OSError):
    """Another process works in a directory; the message names it."""


@contextlib.contextmanager
def held(directory, wait=False):
    """Keeps a directory to this process, and to this call, while the block runs.

    The lock is the operating system's, and so it ends with the process, however that ends. The
    directory is made where it is missing, and removed again where the block leaves it empty.

    Args:
        directory: which need not exist, but must be writable.
        wait: whether to wait until another process has ended, instead of raising `InUse`.

    Raises:
        InUse: another process, or another call of this one, holds it.
        OSError: it cannot be made, or not be written to.
    """
    path = Path(directory) / LOCK_FILE
    descriptor, made = _locked(path, wait)
    try:
        _sign(descriptor)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        for place in made:
            with contextlib.suppress(OSError):  # it is not empty: something was made there
                place.rmdir()


def word_of_holder(directory):
    """What the call that holds a directory has left there of itself; None where nobody holds it.

    It is another one for every call. After a kill it stays until the next call takes its place.
    """
    try:
        return (Path(directory) / LOCK_FILE).read_bytes()
    except FileNotFoundError:
        return None


def _locked(path, wait):
    """(descriptor of the lock file, the directories that were made for it, the deepest first)."""
    made, attempts = [], 0
    while True:
        attempts += 1
        try:
            made += _made(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except (FileNotFoundError, FileExistsError):
            # Whoever held it removes the directory again, perhaps between two looks at it here.
            if attempts == ATTEMPTS:
                raise
            continue
        try:
            _lock(descriptor, path.parent, wait)
            # Whoever held it may have removed the file that was opened here.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor, made
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _made(directory):
    """Makes a directory and returns which of those on its path were missing, deepest first."""
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _lock(descriptor, directory, wait):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        in_use = f"{directory} is in use by {_holder(descriptor)}."
        if not wait:
            raise InUse(
                f"{in_use} Wait until it has ended, or choose another directory."
            ) from error
        logging.info("Waiting: %s", in_use)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        logging.warning(
            "%s is on a disk without locks: nothing keeps a second process from it.", directory
        )


def _sign(descriptor):
    """Leaves word for others of who holds the lock."""
    holder = {
        "command": shlex.join(sys.argv).replace("\n", "\\n")[:LONGEST_COMMAND],
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.datetime.now().isoformat(" ", "seconds"),
        "call": uuid.uuid4().hex,  # by which one process's calls are told apart
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor):
    """Who holds a lock, in a few words."""
    try:
        holder = json.loads(os.pread(descriptor, 2**16, 0))
        return (
            f"{holder['command']} (host {holder['host']}, process {holder['process']}, since "
            f"{holder['since']})"
        )
    except (ValueError, KeyError, TypeError):  # it has only just begun, and has not signed yet
        return "another process"
