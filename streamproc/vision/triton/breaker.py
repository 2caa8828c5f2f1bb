"""A circuit breaker: who failed again and again is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic


class Breaker:
    """Counts failures in a row that say that somebody is away.

    closed: everybody may ask. After `failures` in a row it opens: nobody asks for `pause_s`. Then it is
    half open: one probe asks, the others are still refused. An answer closes it; a failed probe opens
    it again.

    Args:
        failures: how many in a row open it.
        pause_s: how long it stays open before a probe.
        clock: seconds that only grow.
    """

    def __init__(self, failures: int, pause_s: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._allowed = failures
        self._pause_s = pause_s
        self._clock = clock
        self._failures = 0
        self._reason: str | None = None
        self._opened_at = 0.0
        self._probing = False

    @property
    def half_open(self) -> bool:
        """Whether who asks next has to probe first."""
        return self._reason is not None and self.refusal is None

    @property
    def refusal(self) -> str | None:
        """Why nobody may ask now; `None` where one may, or may probe."""
        if self._reason is None:
            return None
        paused = self._clock() < self._opened_at + self._pause_s
        return self._reason if paused or self._probing else None

    def answered(self) -> bool:
        """There was an answer: closes it. Gives whether it was open."""
        was_open = self._reason is not None
        self._failures = 0
        self._reason = None
        return was_open

    def failed(self, reason: str, *, for_sure: bool = False) -> bool:
        """There was no answer. Gives whether that opened it.

        Args:
            reason: what callers are told while it is open.
            for_sure: one such failure is enough: it is known that the next one would fail too.
        """
        self._failures += 1
        was_open = self._reason is not None
        if was_open or for_sure or self._failures >= self._allowed:
            self._reason = reason
            self._opened_at = self._clock()
        return self._reason is not None and not was_open

    @contextmanager
    def probe(self) -> Iterator[None]:
        """While somebody probes; whoever asks meanwhile is refused."""
        self._probing = True
        try:
            yield
        finally:
            self._probing = False
