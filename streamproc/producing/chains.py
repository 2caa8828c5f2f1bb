"""One call's messages on their way: each partition's in order, in record batches that are awaited."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from streamproc.broker.murmur2 import murmur2_all
from streamproc.errors import BrokerError
from streamproc.producing.messages import Outgoing

SENT_AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes: aiokafka puts the batches of all partitions of a broker into one request, and a broker cuts the
connection at one of 100 MiB, which looks like a broker that is away. A larger message is sent by nobody."""

_NO_HEADERS: Final[list[tuple[str, bytes]]] = []


@dataclass(slots=True, eq=False)
class Sending:
    """One call of `send`.

    Attributes:
        left: positions of the messages that have not ended, in order.
        too_large: positions of those that never will arrive.
        trouble: what went wrong last.
    """

    messages: Sequence[Outgoing]
    left: list[int]
    too_large: list[int]
    trouble: KafkaError | None = None

    @property
    def topics(self) -> str:
        """Where they go, for people."""
        return ", ".join(sorted({message.topic for message in self.messages}))


@dataclass(slots=True, eq=False)
class Chain:
    """What of it goes to one partition."""

    topic: str
    partition: int
    left: list[int]


class Room:
    """Bytes that are on their way at once: so many at most, or one batch."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._out = 0
        self._news = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until there is room for so many."""
        while self._out and self._out + size > self._most:
            self._news.clear()
            await self._news.wait()
        self._out += size

    def give_back(self, size: int) -> None:
        """So many have arrived."""
        self._out -= size
        self._news.set()


async def chains_of(sending: Sending, producer: Any, anywhere: int) -> list[Chain]:
    """What is left, by topic and partition.

    Args:
        sending: of which.
        producer: aiokafka's, connected.
        anywhere: chooses the partition of messages without a key.

    Raises:
        BrokerError: a topic has not the partition that a message names.
        KafkaError: a topic cannot be asked for.
    """
    messages = sending.messages
    by_topic: dict[str, list[int]] = defaultdict(list)
    for index in sending.left:
        by_topic[messages[index].topic].append(index)
    chains: list[Chain] = []
    for topic, indices in by_topic.items():
        named = {place for index in indices if (place := messages[index].partition) is not None}
        partitions = await _partitions(producer, topic, named)
        keys = [messages[index].key for index in indices]
        # One that nobody sends is refused, wherever it would go: hashing it would take long.
        hashes = murmur2_all([b"" if key is None or len(key) > SENT_AT_ONCE else key for key in keys])
        # Kafka's partitioner takes the hash without its sign bit.
        keyed = ((hashes & 0x7FFFFFFF) % partitions).tolist()
        targets: dict[int, list[int]] = defaultdict(list)
        for index, key, partition in zip(indices, keys, keyed, strict=True):
            place = messages[index].partition
            free = anywhere % partitions if key is None else partition
            targets[free if place is None else place].append(index)
        chains += [Chain(topic, partition, its) for partition, its in targets.items()]
    return chains


async def send_chain(chain: Chain, sending: Sending, producer: Any, room: Room) -> None:
    """Send one partition's messages in order, less those that are too large."""
    messages, left = sending.messages, chain.left
    most = len(left)
    while left:
        if _bytes_of(messages[left[0]]) > SENT_AT_ONCE:
            sending.too_large.append(left.pop(0))
            continue
        batch, taken = _fill(producer, messages, left[:most])
        size = batch.size()
        await room.take(size)
        try:
            delivered = await _deliver(producer, batch, chain, taken)
        finally:
            room.give_back(size)
        # The broker measures the batch, not its messages: halve it, down to the message that is
        # too large by itself.
        if delivered:
            del left[:taken]
            most = 2 * most
        elif taken > 1:
            most = taken // 2
        else:
            sending.too_large.append(left.pop(0))


async def _partitions(producer: Any, topic: str, named: Collection[int]) -> int:
    """How many a topic has; the broker is asked again when messages name others.

    Raises:
        BrokerError: it has not those that they name.
    """
    found = len(await producer.partitions_for(topic))
    if missing := _missing(named, found):
        await producer.client.force_metadata_update()
        found = len(await producer.partitions_for(topic))
        missing = _missing(named, found)
    if missing:
        raise BrokerError(f"topic {topic} has no partition {missing[0]}: expected 0 to {found - 1}")
    return found


def _missing(named: Collection[int], found: int) -> list[int]:
    return [partition for partition in named if not 0 <= partition < found]


def _bytes_of(message: Outgoing) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def _fill(producer: Any, messages: Sequence[Outgoing], indices: Sequence[int]) -> tuple[Any, int]:
    """A record batch of the first messages, at least one, and how many they are."""
    batch = producer.create_batch()
    append = batch.append
    for size, index in enumerate(indices):
        one = messages[index]
        headers = [*one.headers] if one.headers else _NO_HEADERS
        if append(timestamp=one.timestamp, key=one.key, value=one.value, headers=headers) is None:
            return batch, size
    return batch, len(indices)


async def _deliver(producer: Any, batch: Any, chain: Chain, messages: int) -> bool:
    """Send a record batch and wait for the answer; whether its size was taken."""
    answer = await producer.send_batch(batch, chain.topic, partition=chain.partition)
    await asyncio.wait([answer])
    if answer.cancelled():
        raise KafkaTimeoutError("no answer")
    error = answer.exception()
    if error is None:
        return True
    if not isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        raise error
    # It is as if it had not been: the next batch has its number.
    place = TopicPartition(chain.topic, chain.partition)
    producer._txn_manager.increment_sequence_number(place, -messages)
    return False
