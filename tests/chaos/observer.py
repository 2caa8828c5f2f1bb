"""What goes into a stream and comes out of it, and how far its group is: seen by clients of our own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupLoadInProgressError, KafkaError

EVERY_S: Final = 0.1
PATIENCE_S: Final = 5.0

Place = tuple[int, int]
"""Partition and offset in `posts`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the broker: what was committed, and behind it what had come out by then.

    Attributes:
        at: when it was asked for, by a clock that only goes forward.
        committed: offset of each partition of `posts` that has one.
        ends: of each partition of `posts`.
        out: end of each partition of `entities`, asked for after `committed`.
    """

    at: float
    committed: Mapping[int, int]
    ends: Mapping[int, int]
    out: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(self.committed.values())

    @property
    def lag(self) -> int:
        return sum(self.ends.values()) - self.total


class Observer:
    """Reads the topics to their ends, and looks at the group again and again.

    Args:
        bootstrap: the broker.
        group: of the workers.
        posts: topic.
        entities: topic.
        letters: topic.
        partitions: of each of them.

    Attributes:
        records: all that was read, by topic, in the order of each partition.
        samples: oldest first.
    """

    def __init__(
        self, bootstrap: str, group: str, posts: str, entities: str, letters: str, partitions: int
    ) -> None:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains of each broker that we kill
        self.posts, self.entities, self.letters = posts, entities, letters
        self.records: dict[str, list[Any]] = defaultdict(list)
        self.samples: list[Sample] = []
        self._told: dict[str, Any] = {"bootstrap_servers": bootstrap, "request_timeout_ms": 15_000}
        self._group = group
        self._followed = dict.fromkeys((posts, entities, letters), partitions)
        self._next: dict[TopicPartition, int] = {}
        self._ended: set[Place] = set()
        self._reader: Any = None
        self._asker: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Observer:
        await self.follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def follow(self, change: Mapping[str, int] | None = None, anew: Collection[str] = ()) -> None:
        """Start, or start again after topics have changed.

        Args:
            change: topics and how many partitions they have now; 0 where there is none of that name.
            anew: topics that are others than those of that name before.
        """
        await self._stop()
        self._followed |= change or {}
        self._next = {tp: offset for tp, offset in self._next.items() if tp.topic not in anew}
        if self.entities in anew:  # where it ended before says nothing of where it ends now
            self.samples = [replace(sample, out={}) for sample in self.samples]
        self._reader = AIOKafkaConsumer(**self._told, auto_offset_reset="earliest")
        self._asker = AIOKafkaConsumer(**self._told, group_id=self._group, enable_auto_commit=False)
        for consumer, topics in ((self._reader, tuple(self._followed)), (self._asker, (self.posts,))):
            await consumer.start()
            consumer.assign([tp for topic in topics for tp in self._places(topic)])
        for tp in self._reader.assignment():
            self._reader.seek(tp, self._next.get(tp, 0))
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._look())]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        consumers = [consumer for consumer in (self._reader, self._asker) if consumer is not None]
        # aiokafka's may end in a CancelledError of its own, where a request has just failed.
        await asyncio.gather(*(consumer.stop() for consumer in consumers), return_exceptions=True)

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self._followed[topic])]

    # -- what it knows -----------------------------------------------------------------------

    @property
    def ended(self) -> int:
        """How many messages have come out, as a tagged post or a dead letter, each counted once."""
        return len(self._ended)

    @property
    def now(self) -> Sample:
        """The last look."""
        return self.samples[-1] if self.samples else Sample(0.0, {}, {}, {})

    async def look(self) -> Sample:
        """A look that begins after this call."""
        begin = monotonic()
        while not self.samples or self.now.at < begin:
            await asyncio.sleep(0.02)
        return self.now

    async def reads_all(self) -> bool:
        """Whether everything that is in the topics now was read."""
        places = [tp for topic in self._followed for tp in self._places(topic)]
        ends = await self._asker.end_offsets(places)
        return all(self._next.get(tp, 0) >= end for tp, end in ends.items())

    # -- finding out -------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            try:
                found = await self._reader.getmany(timeout_ms=200)
            except KafkaError:  # a broker that we ended ourselves
                await asyncio.sleep(EVERY_S)
                continue
            for tp, records in found.items():
                self.records[tp.topic] += records
                self._next[tp] = records[-1].offset + 1
                if tp.topic == self.entities:
                    self._ended.update(place_of_entities(record) for record in records)
                elif tp.topic == self.letters:
                    self._ended.update(place_of_letter(record) for record in records)

    async def _look(self) -> None:
        while True:
            begin = monotonic()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    self.samples.append(await self._sample(begin))
            except (KafkaError, TimeoutError):
                pass
            await asyncio.sleep(EVERY_S)

    async def _sample(self, begin: float) -> Sample:
        places = self._places(self.posts)
        known = {tp.partition: await self._asker.committed(tp) for tp in places}
        if any(known.get(number, 0) is None for number in self.now.committed):
            # aiokafka passes over the error of a coordinator that still reads its offsets after a restart.
            raise GroupLoadInProgressError
        ends = await self._asker.end_offsets(places)
        out = (
            await self._asker.end_offsets(self._places(self.entities))
            if self._followed[self.entities]
            else {}
        )
        return Sample(
            begin,
            {number: offset for number, offset in known.items() if offset is not None},
            {tp.partition: end for tp, end in ends.items()},
            {tp.partition: end for tp, end in out.items()},
        )


def place_of_entities(record: Any) -> Place:
    """Where the post of a tagged post was read."""
    revision = json.loads(record.value)["revision"]
    return revision["partition"], revision["offset"]


def place_of_letter(record: Any) -> Place:
    """Where the post of a dead letter was read."""
    headers = dict(record.headers)
    return (
        int(headers["__streamproc.errors.partition"]),
        int(headers["__streamproc.errors.offset"]),
    )
