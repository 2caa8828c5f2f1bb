"""How often one host is asked: so many at once, evenly spaced, and not while it wants to be left alone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

from streamproc.errors import FetchFailed

LONGEST_REST_S: Final = 3600.0
"""How long a host is left alone at most, whatever it asks for."""
SILENCES: Final = 3
"""After so many in a row a host that does not answer in time is left alone: others wait for its turns."""
SILENT_REST_S: Final = 30.0
"""How long."""


@dataclass(slots=True)
class _Host:
    semaphore: asyncio.Semaphore
    next_at: float = 0.0
    users: int = 0
    silences: int = 0


class Hosts:
    """Turns to ask hosts. What is remembered of them is bounded, however many strangers name.

    Args:
        at_once: how many may ask one host at the same time.
        per_second: how often one host is asked, evenly spaced.
        max_hosts: how many are remembered; of more, those that were asked longest ago are forgotten.
        clock: seconds that only grow.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        at_once: int,
        per_second: float,
        *,
        max_hosts: int = 10_000,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._at_once = at_once
        self._gap_s = 1 / per_second
        self._max_hosts = max_hosts
        self._clock = clock
        self._sleep = sleep
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._rests: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """How many hosts are remembered."""
        return max(len(self._hosts), len(self._rests))

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn to ask a host.

        Raises:
            FetchFailed: it wants to be left alone.
        """
        self._check(name)
        host = self._hosts.setdefault(name, _Host(asyncio.Semaphore(self._at_once)))
        self._hosts.move_to_end(name)
        host.users += 1
        self._forget()
        try:
            async with host.semaphore:
                self._check(name)
                await self._wait(host)
                self._check(name)
                yield
        finally:
            host.users -= 1

    def answered(self, name: str) -> None:
        """A host answered in time."""
        if (host := self._hosts.get(name)) is not None:
            host.silences = 0

    def silent(self, name: str) -> None:
        """A host did not answer in time."""
        if (host := self._hosts.get(name)) is not None:
            host.silences += 1
            if host.silences >= SILENCES:
                host.silences = 0
                self.rest(name, SILENT_REST_S)

    def rest(self, name: str, seconds: float) -> float:
        """Do not ask a host for so long, at most `LONGEST_REST_S`; gives how long that is."""
        seconds = min(seconds, LONGEST_REST_S)
        self._rests.pop(name, None)
        self._rests[name] = self._clock() + seconds
        if len(self._rests) > self._max_hosts:
            self._rests.popitem(last=False)
        return seconds

    def _check(self, name: str) -> None:
        seconds = self._rests.get(name, 0.0) - self._clock()
        if seconds > 0:
            raise FetchFailed(f"{name} is left alone for {ceil(seconds)} s", retry_after_s=seconds)
        self._rests.pop(name, None)

    async def _wait(self, host: _Host) -> None:
        try:
            await self._sleep(self._reserve(host))
        except asyncio.CancelledError:
            host.next_at -= self._gap_s  # for somebody else
            raise

    def _reserve(self, host: _Host) -> float:
        """Seconds until the next free moment of a host, which is taken now."""
        now = self._clock()
        at = max(now, host.next_at)
        host.next_at = at + self._gap_s
        return at - now

    def _forget(self) -> None:
        """Hosts that nobody asks now and that may be asked at any time."""
        now = self._clock()
        while True:
            name, host = next(iter(self._hosts.items()))
            if host.users or (host.next_at > now and len(self._hosts) <= self._max_hosts):
                return
            del self._hosts[name]
