"""A scenario: a fault that befalls a stream, how often, and what it may cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from streamproc.errors import StreamprocError
from tests.chaos.outcome import AT_LEAST_ONCE, Bounds, Outcome
from tests.chaos.stream import Stream
from tests.chaos.workers import Broken
from tests.services.kafka import Kafka


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to a stream while posts come in.

    Attributes:
        name: of its result.
        does: what it does, for the table.
        play: does it so many times; starts workers, and ends those that are to be ended.
        times: how often, in the whole suite.
        posts: messages for each time, at least.
        bounds: what it may cost.
        settings: of the workers.
        deeds: words of posts at which the plugin misbehaves, and how many posts there are to one.
    """

    name: str
    does: str
    play: Callable[[Stream, int], Awaitable[None]]
    times: int
    posts: int
    bounds: Bounds = AT_LEAST_ONCE
    settings: Mapping[str, object] = field(default_factory=dict)
    deeds: Mapping[str, int] = field(default_factory=dict)

    async def run(self, kafka: Kafka, folder: Path, times: int, posts: int) -> Outcome:
        """Play it and count.

        Args:
            kafka: the broker.
            folder: an empty one.
            times: how often the fault befalls.
            posts: messages for each time.
        """
        begin = monotonic()
        stopped = ""
        settings = {
            key: value.format(folder=folder) if isinstance(value, str) else value
            for key, value in self.settings.items()
        }
        async with Stream(kafka, folder, settings, self.deeds) as stream:
            stream.feed(posts * times)
            try:
                await self.play(stream, times)
                await stream.finished()
                await stream.end()
            except (Broken, TimeoutError, StreamprocError) as error:
                stopped = f"{type(error).__name__}: {error}"
            books = stream.books(self.bounds.too_large)
            return Outcome(
                name=self.name,
                times=times,
                **books.counts,
                notes=books.notes,
                recover_s=stream.recover_s,
                lag=stream.observer.now.lag,
                exits=stream.exits,
                stopped=stopped,
                seconds=round(monotonic() - begin, 1),
            )
