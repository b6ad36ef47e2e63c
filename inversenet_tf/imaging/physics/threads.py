"""Kernels that are tried side by side, a thread for each core."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import threadpoolctl


@contextlib.contextmanager
def a_thread_for_each_core() -> Iterator[ThreadPoolExecutor]:
    """Threads that BLAS, which would otherwise make its own within each, adds none to."""
    with threadpoolctl.threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool
