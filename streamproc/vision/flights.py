"""Single flight: work that several ask for at the same moment is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    passengers: int = 0


class SingleFlight:
    """Shares running work by key. What is done is forgotten: remembering is a cache's work."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def __contains__(self, key: Hashable) -> bool:
        """Whether work for this key is under way."""
        return key in self._flights

    async def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, started by the first who asks and shared by all who ask meanwhile.

        Somebody who is cancelled leaves; the work is cancelled when nobody is left.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, work)
        flight.passengers += 1
        try:
            result: T = await asyncio.shield(flight.task)
            return result
        finally:
            flight.passengers -= 1
            if not flight.passengers and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()

    async def close(self) -> None:
        """Cancel what is under way and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]]) -> _Flight:
        flight = _Flight(asyncio.create_task(work()))
        self._flights[key] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda _: self._land(key, flight))
        flight.task.add_done_callback(self._tasks.discard)
        return flight

    def _land(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
