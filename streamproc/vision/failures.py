"""Pictures that failed a moment ago: not tried again at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Final

from streamproc.errors import PictureError

_REASON_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a picture gave nothing, in words for the output. Holds on to no exception and no data."""

    reason: str

    @classmethod
    def of(cls, error: PictureError) -> Failure:
        """The kind of error, and what it says."""
        return cls(f"{error.reason}: {error}"[:_REASON_CHARS])


class RecentFailures:
    """Remembers failures for a short time, and not too many of them.

    Args:
        ttl_s: how long.
        max_entries: how many; the oldest go first.
        clock: seconds that only grow.
    """

    def __init__(
        self, ttl_s: float, *, max_entries: int = 10_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._clock = clock
        # All live equally long, so the order of insertion is the order of their ends.
        self._entries: dict[Hashable, tuple[float, Failure]] = {}

    def get(self, key: Hashable) -> Failure | None:
        """The failure, if it is recent."""
        ends, failure = self._entries.get(key, (0.0, None))
        return failure if self._clock() < ends else None

    def add(self, key: Hashable, failure: Failure) -> None:
        """Remember one."""
        now = self._clock()
        self._entries.pop(key, None)
        self._entries[key] = now + self._ttl_s, failure
        while len(self._entries) > self._max_entries or self._oldest_ends() <= now:
            del self._entries[next(iter(self._entries))]

    def _oldest_ends(self) -> float:
        ends, _ = next(iter(self._entries.values()), (inf, None))
        return ends
