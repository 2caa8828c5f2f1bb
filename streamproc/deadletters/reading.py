"""Reading parts of topics from outside any consumer group: nothing is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamproc.broker.connecting import partitions_of_topics
from streamproc.broker.header_names import escape_header_names
from streamproc.broker.link import Link
from streamproc.broker.refusals import refusal
from streamproc.errors import BrokerError
from streamproc.ledger import Record

_POLL_MS: Final = 500
_FETCH_BYTES: Final = 4 * 1024 * 1024
"""A partition is read from end to end: larger fetches than a worker's cost fewer round trips."""


class Span(NamedTuple):
    """Offsets of a partition, from `start` to before `stop`."""

    start: int
    stop: int


class TopicReader:
    """Reads spans of partitions; use it as an async context manager. One reading at a time.

    Args:
        link: the way to the brokers.
        seconds: how long the brokers may give nothing before that is an error.
    """

    def __init__(self, link: Link, *, seconds: float = 30.0) -> None:
        self._link = link
        self._seconds = seconds
        self._consumer: Any = None

    async def __aenter__(self) -> TopicReader:
        escape_header_names()
        consumer = AIOKafkaConsumer(
            **self._link.arguments(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=int(self._seconds * 1000),
            # What is under way when the next span begins holds that one up for so long.
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        try:
            async with self._bounded("its topics"):
                await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        consumer, self._consumer = self._consumer, None
        await consumer.stop()

    async def spans(self, topic: str) -> dict[int, Span]:
        """What each partition of a topic holds now.

        Raises:
            BrokerError: no broker answers, or the topic is not there.
        """
        found = await partitions_of_topics(self._link)
        if topic not in found:
            raise BrokerError(
                f"Kafka at {self._link.told} has no topic {topic}: run `streamproc topics create`"
            )
        places = [TopicPartition(topic, partition) for partition in range(found[topic])]
        async with self._bounded(f"topic {topic}"):
            starts = await self._consumer.beginning_offsets(places)
            stops = await self._consumer.end_offsets(places)
        return {place.partition: Span(starts[place], stops[place]) for place in places}

    async def records(self, topic: str, partition: int, span: Span) -> AsyncGenerator[Record, None]:
        """The records of a span, in order. Those that have been deleted meanwhile are left out.

        Raises:
            BrokerError: the brokers give nothing for too long.
        """
        if span.start >= span.stop:
            return
        place = TopicPartition(topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, span.start)
        position = span.start
        while position < span.stop:
            for record in await self._some(place, position):
                if record.offset >= span.stop:
                    return
                yield record
            position = await self._consumer.position(place)

    async def _some(self, place: TopicPartition, position: int) -> Sequence[Record]:
        """What comes next. Nothing, where the position moved over offsets that hold no record."""
        async with self._bounded(f"topic {place.topic}, partition {place.partition}, offset {position}"):
            while True:
                fetched = await self._consumer.getmany(place, timeout_ms=_POLL_MS)
                if fetched or await self._consumer.position(place) != position:
                    records: Sequence[Record] = fetched.get(place, ())
                    return records

    @asynccontextmanager
    async def _bounded(self, what: str) -> AsyncIterator[None]:
        """An end to waiting, and our errors instead of aiokafka's."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError:
            raise BrokerError(
                f"Kafka at {self._link.told} gave nothing of {what} within {self._seconds:g} s: "
                "see whether its brokers are up"
            ) from None
        except KafkaError as error:
            raise refusal(error, self._link) or BrokerError(
                f"Kafka at {self._link.told}: {what} cannot be read: {error!r}"
            ) from error
