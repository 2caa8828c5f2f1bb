"""Topics of a benchmark: filled, counted and read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.posts import make_posts, renamed
from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing

CHUNK = 1_000
DISTINCT = 10_000
"""Posts that are made; more are the same under other ids."""


def fill(bootstrap: str, topic: str, posts: int, *, bad_every: int = 0) -> None:
    """Send so many posts. They are made as they are sent: a million needs no more memory than a few."""
    asyncio.run(_fill(bootstrap, topic, posts, bad_every))


async def _fill(bootstrap: str, topic: str, posts: int, bad_every: int) -> None:
    made = make_posts(min(posts, DISTINCT), bad_every=bad_every)
    async with BatchProducer(Link(bootstrap)) as producer:
        for number, start in enumerate(range(0, posts, DISTINCT)):
            part = renamed(made, number)[: posts - start] if number else made
            for first in range(0, len(part), CHUNK):
                chunk = part[first : first + CHUNK]
                await producer.send([Outgoing(topic, key, value) for key, value in chunk])


async def ends(consumer: Any, topic: str) -> dict[TopicPartition, int]:
    """The end offset of each partition."""
    partitions = consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)
    found: dict[TopicPartition, int] = await consumer.end_offsets(
        [TopicPartition(topic, partition) for partition in partitions]
    )
    return found


async def _partitions(consumer: Any, topic: str) -> Iterable[int]:
    await consumer._client._wait_on_metadata(topic)
    return consumer.partitions_for_topic(topic) or ()


async def wait_for_records(
    bootstrap: str,
    topic: str,
    records: int,
    seconds: float,
    *,
    given_up: Callable[[], bool] = lambda: False,
) -> int:
    """Wait until a topic holds so many records; how many it holds then, or after so many seconds.

    Args:
        bootstrap: the broker's address.
        topic: which.
        records: how many are waited for.
        seconds: how long at most.
        given_up: asked now and then whether waiting has become useless.
    """
    deadline = monotonic() + seconds
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        while True:
            held = sum((await ends(consumer, topic)).values())
            if held >= records or monotonic() > deadline or given_up():
                return held
            await asyncio.sleep(0.05)
    finally:
        await consumer.stop()


async def read_all(bootstrap: str, topic: str) -> list[tuple[bytes, int]]:
    """Key and timestamp (milliseconds since 1970) of all records that a topic holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        missing = {tp: end for tp, end in (await ends(consumer, topic)).items() if end}
        consumer.assign(list(missing))
        if missing:
            await consumer.seek_to_beginning()
        found: list[tuple[bytes, int]] = []
        while missing:
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                found += [(record.key, record.timestamp) for record in records]
                if records and records[-1].offset + 1 >= missing.get(tp, 0):
                    missing.pop(tp, None)
        return found
    finally:
        await consumer.stop()
