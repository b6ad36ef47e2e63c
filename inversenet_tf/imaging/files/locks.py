"""Locks directories, so that one process at a time works in them."""

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
LONGEST_COMMAND = 200  # characters of the holder's command that are kept
ATTEMPTS = 100  # to make a directory and its lock file, which others may remove meanwhile
# Errors by which disks without locks, such as some network disks, say so.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class InUse(OSError):
    """Another process works in a directory; the message names it."""


@contextlib.contextmanager
def held(directory, wait=False):
    """Reserves a directory for this call, against other processes and threads, during the block.

    The lock is the operating system's, so it ends with the process, however that ends. A missing
    directory is made, and removed again if the block leaves it empty. On a disk without locks, a
    warning is logged instead.

    Args:
        directory: which need not exist, but must be writable.
        wait: whether to wait for the other holder to finish, instead of raising `InUse`.

    Raises:
        InUse: another process, or another call in this one, holds it.
        OSError: it cannot be made or written to.
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
    """Returns what the holder of a directory wrote into its lock file; None where there is none.

    It differs for every call. After a kill it stays until the next call replaces it.
    """
    try:
        return (Path(directory) / LOCK_FILE).read_bytes()
    except FileNotFoundError:
        return None


def _locked(path, wait):
    """Returns (descriptor of the lock file, the directories made for it, deepest first)."""
    made, attempts = [], 0
    while True:
        attempts += 1
        try:
            made += _made(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except (FileNotFoundError, FileExistsError):
            # The previous holder removes the directory again, perhaps between these two calls.
            if attempts == ATTEMPTS:
                raise
            continue
        try:
            _lock(descriptor, path.parent, wait)
            # The previous holder may have removed the file that was opened here.
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
            raise InUse(f"{in_use} Wait until it ends, or choose another directory.") from error
        logging.info("Waiting: %s", in_use)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        logging.warning(
            "%s is on a disk without locks: nothing stops a second process from using it.",
            directory,
        )


def _sign(descriptor):
    """Writes into the lock file who holds it."""
    holder = {
        "command": shlex.join(sys.argv).replace("\n", "\\n")[:LONGEST_COMMAND],
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.datetime.now().isoformat(" ", "seconds"),
        "call": uuid.uuid4().hex,  # distinguishes the calls of one process
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor):
    """Describes who holds a lock."""
    try:
        holder = json.loads(os.pread(descriptor, 2**16, 0))
        return (
            f"{holder['command']} (host {holder['host']}, process {holder['process']}, since "
            f"{holder['since']})"
        )
    except (ValueError, KeyError, TypeError):  # it has only just begun, and not signed yet
        return "another process"
