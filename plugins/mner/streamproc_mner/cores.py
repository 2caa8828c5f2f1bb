"""The cores of a machine, each with some of a batch's rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from streamproc_mner.windows import Ints

PartT = TypeVar("PartT")
ResultT = TypeVar("ResultT")


class Cores:
    """Threads that compute parts of a batch; started when there is more than one part.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def each(self, compute: Callable[[PartT], ResultT], parts: Sequence[PartT]) -> list[ResultT]:
        """The results of all parts, in order."""
        if len(parts) == 1:
            return [compute(parts[0])]
        if self._pool is None or self._pid != os.getpid():  # a fork has no threads but its own
            self._pool, self._pid = ThreadPoolExecutor(self.count, "cores"), os.getpid()
        return list(self._pool.map(compute, parts))

    def close(self) -> None:
        """End the threads; they start again when there is something to compute."""
        pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.shutdown()


def shares(lengths: Ints, count: int) -> list[slice]:
    """Rows of a batch in parts of about as many sub-tokens each: at most `count`, and half as many as rows.

    Args:
        lengths: sub-tokens of each of B rows, at least one row.
        count: of parts.
    """
    parts = max(1, min(count, len(lengths) // 2))
    so_far = np.cumsum(lengths)
    shared = so_far[-1] * np.arange(1, parts) / parts
    ends = sorted({*np.searchsorted(so_far, shared, side="right").tolist(), len(lengths)} - {0})
    return [slice(begin, end) for begin, end in pairwise([0, *ends])]


def usable_cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
