"""Threads for numpy: each works on pieces of its own, and no sum depends on how many there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

__all__ = ["run_all"]

T = TypeVar("T")


class _OneThread:
    """Keeps BLAS at one thread while anybody works here; the last to leave restores it."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.restore: Callable[[], object] = int

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the limit."""
        from threadpoolctl import threadpool_limits

        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.restore = threadpool_limits(1, user_api="blas").restore_original_limits
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    self.restore()


_ONE_THREAD = _OneThread()


def _allowed() -> int:
    """Threads that this process may use: OMP_NUM_THREADS where it is set, else the processors it has."""
    from joblib import cpu_count

    stated = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, int(stated)) if stated.isdigit() else int(cpu_count())


def run_all(tasks: Sequence[Callable[[], T]], most: int) -> list[T]:
    """Return what tasks return, in their order.

    `tasks`: their pieces of work must not depend on the number of threads. `most`: threads at once, whatever the
    machine has.

    >>> run_all([lambda: 1, lambda: 2], 2)
    [1, 2]
    """

    def quiet(task: Callable[[], T]) -> T:
        with np.errstate(all="ignore"):  # of what cannot be, logarithms are taken and left out afterwards
            return task()

    with _ONE_THREAD.held():
        workers = min(len(tasks), most, _allowed())
        if workers <= 1:
            return [quiet(task) for task in tasks]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(quiet, tasks))
