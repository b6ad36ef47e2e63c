"""A thread pool for trying kernels in parallel, with a thread for each core."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import threadpoolctl


@contextlib.contextmanager
def a_thread_for_each_core() -> Iterator[ThreadPoolExecutor]:
    """A thread pool within which BLAS, limited to one thread, starts no threads of its own."""
    with threadpoolctl.threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool
