"""Many messages to Kafka at once, cheaply: delivered when `send` returns.

aiokafka's `send` costs a future, a lookup and a pure-Python key hash a message. Here one call
takes a whole batch: keys are hashed together, each partition's messages go into record batches,
and only the batches are awaited.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import uniform
from types import TracebackType
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RecordListTooLargeError,
    UnknownProducerId,
)
from msgspec import Struct

from streamproc.broker.link import Link
from streamproc.broker.murmur2 import murmur2_all
from streamproc.broker.refusals import refusal
from streamproc.errors import BrokerError, Fate, StreamprocError

_NOT_CONNECTED: Final = "the producer is not connected: start it before sending"

_SENT_BY_NOBODY: Final = 64 * 1024 * 1024
"""Bytes: a broker cuts the connection at a request of 100 MiB, which looks like a broker that is away."""

_OUT_OF_STEP: Final = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)
"""Kafka counts the batches of a producer otherwise than we do: another producer begins anew."""

_SENT_AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes: aiokafka puts the batches of all partitions of a broker into one request."""

_NUMBERS: Final = 2**30
"""A client sends so many messages: at 2**31 of a partition Kafka begins at 0 again, aiokafka does not."""

_NO_HEADERS: Final[list[tuple[str, bytes]]] = []

_GOODBYE_S: Final = 5.0
"""How long a broker may take to accept the last of what was sent."""


class Outgoing(Struct, frozen=True, gc=False):
    """A message to send.

    `timestamp` is in milliseconds since 1970, None for now. A message without value is a
    tombstone and needs a key. `partition` is for what belongs beside another message; without it
    the key decides.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None
    partition: int | None = None


class RecordTooLarge(StreamprocError):
    """The topic does not take messages of this size. All the others of the call were delivered.

    Attributes:
        indices: positions of the refused messages in what `send` was given.
    """

    fate: ClassVar[Fate] = Fate.DEAD_LETTER

    def __init__(self, messages: Sequence[Outgoing], indices: Sequence[int]) -> None:
        self.indices = tuple(indices)
        first = messages[self.indices[0]]
        super().__init__(
            f"{len(indices)} of {len(messages)} messages are too large, the first has "
            f"{len(first.value or b'')} bytes for topic {first.topic} (key {first.key!r}): "
            "raise the topic's max.message.bytes, or send less"
        )


@dataclass(slots=True, eq=False)
class _Sending:
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
class _Chain:
    """What of it goes to one partition."""

    topic: str
    partition: int
    left: list[int]


class _Room:
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


class BatchProducer:
    """Sends batches of messages; use it as an async context manager, or `start` and `stop` it.

    Kafka acknowledges from all in-sync replicas (acks=all). A batch whose acknowledgement got lost is
    sent again under the same number, and Kafka keeps it once (idempotence); a partition's next batch
    leaves after the answer to the one before. Only what is sent again after an error, here or by the
    caller, may arrive twice, never out of order within its partition.

    Args:
        link: the way to the brokers.
        seconds: how long one `send` goes on trying while brokers are away.
        batch_bytes: size of a record batch; a larger message goes alone.
    """

    def __init__(
        self,
        link: Link,
        *,
        seconds: float = 60.0,
        batch_bytes: int = 256 * 1024,
    ) -> None:
        self._link = link
        self._seconds = seconds
        self._batch_bytes = batch_bytes
        self._started = False
        self._producer: Any = None
        self._numbered = 0
        self._anywhere = count()
        self._turn = asyncio.Lock()
        self._limits: set[asyncio.Timeout] = set()

    async def __aenter__(self) -> BatchProducer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: no broker can be reached.
            SettingsError: it does not take us for who we say we are.
        """
        try:
            async with asyncio.timeout(self._seconds):
                self._producer = await self._connect()
        except (KafkaError, TimeoutError) as error:
            raise refusal(error, self._link) or BrokerError(
                f"cannot reach Kafka at {self._link.told}: {str(error) or 'no answer'}"
            ) from error
        self._started = True

    async def stop(self) -> None:
        """Disconnect, in bounded time: what is being sent has a few seconds.

        Does nothing when not connected.
        """
        self._started = False
        soon = asyncio.get_running_loop().time() + _GOODBYE_S
        for limit in self._limits:
            limit.reschedule(min(soon, limit.when() or soon))
        async with self._turn:
            producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await producer.stop()
        except TimeoutError:
            # No broker takes what is left; whoever sent it and still waited was told.
            await _abandon(producer)

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Deliver messages; in order for each key, also over several calls that are awaited.

        Raises:
            RecordTooLarge: some were refused for their size; all others are delivered.
            BrokerError: Kafka refused for good, or stayed away too long: any of the messages may
                be delivered or not.
            SettingsError: we may not write there.
        """
        sending = _Sending(messages, [*range(len(messages))], [])
        try:
            async with asyncio.timeout(self._seconds) as limit:
                self._limits.add(limit)
                try:
                    async with self._turn:
                        await self._send(sending)
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            why = f"{sending.trouble!r}" if sending.trouble is not None else "no answer"
            raise BrokerError(
                f"Kafka at {self._link.told} took no messages for topic {sending.topics} "
                f"within {self._seconds:g} s: {why}"
            ) from error
        if sending.too_large:
            raise RecordTooLarge(messages, sorted(sending.too_large))

    # -- sending -----------------------------------------------------------------------------

    async def _send(self, sending: _Sending) -> None:
        """Deliver, however often that takes; whoever has no more time cancels it."""
        for attempt in count():
            if not self._started:
                raise BrokerError(_NOT_CONNECTED)
            try:
                if self._numbered > _NUMBERS:
                    await self._disconnect()
                if self._producer is None:
                    self._producer = await self._connect()
                self._numbered += len(sending.left)
                await self._send_what_is_left(sending, self._producer)
                return
            except KafkaError as error:
                # A batch that failed has used up its number: Kafka would take none behind it.
                await self._disconnect()
                sending.trouble = error
                if not (error.retriable or isinstance(error, (KafkaTimeoutError, *_OUT_OF_STEP))):
                    raise refusal(error, self._link) or BrokerError(
                        f"Kafka refused to take messages for topic {sending.topics}: {error!r}"
                    ) from error
            except BaseException:
                # aiokafka would go on with what it has, for ever and behind the caller's back.
                await self._disconnect()
                raise
            await asyncio.sleep(uniform(0.5, 1.0) * min(0.1 * 2**attempt, 5.0))

    async def _send_what_is_left(self, sending: _Sending, producer: Any) -> None:
        chains = await self._chains(sending, producer)
        room = _Room(_SENT_AT_ONCE)
        ends = [self._send_chain(chain, sending, producer, room) for chain in chains]
        # Every chain stops before an error is raised: none goes on behind the caller's back.
        errors = await asyncio.gather(*ends, return_exceptions=True)
        sending.left = sorted(index for chain in chains for index in chain.left)
        for error in errors:
            if error is not None:
                raise error

    async def _chains(self, sending: _Sending, producer: Any) -> list[_Chain]:
        """What is left, by topic and partition."""
        messages = sending.messages
        by_topic: dict[str, list[int]] = defaultdict(list)
        for index in sending.left:
            by_topic[messages[index].topic].append(index)
        chains: list[_Chain] = []
        for topic, indices in by_topic.items():
            named = {messages[index].partition for index in indices} - {None}
            partitions = await _partitions(producer, topic, named)
            keys = [messages[index].key for index in indices]
            hashes = murmur2_all([b"" if key is None else key for key in keys])
            # Kafka's partitioner takes the hash without its sign bit.
            keyed = ((hashes & 0x7FFFFFFF) % partitions).tolist()
            anywhere = next(self._anywhere) % partitions
            targets: dict[int, list[int]] = defaultdict(list)
            for index, key, partition in zip(indices, keys, keyed, strict=True):
                place = messages[index].partition
                free = anywhere if key is None else partition
                targets[free if place is None else place].append(index)
            chains += [_Chain(topic, partition, its) for partition, its in targets.items()]
        return chains

    async def _send_chain(self, chain: _Chain, sending: _Sending, producer: Any, room: _Room) -> None:
        """Send one partition's messages in order, less those that are too large."""
        messages, left = sending.messages, chain.left
        most = len(left)
        while left:
            if _bytes_of(messages[left[0]]) > _SENT_BY_NOBODY:
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

    # -- the client --------------------------------------------------------------------------

    async def _connect(self) -> Any:
        """A new client: Kafka numbers its batches from 0 on."""
        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            max_batch_size=self._batch_bytes,
            request_timeout_ms=int(min(self._seconds, 10.0) * 1000),
            **self._link.arguments(),
        )
        try:
            await producer.start()
        except BaseException:
            await _abandon(producer)
            raise
        self._numbered = 0
        return producer

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)


async def _partitions(producer: Any, topic: str, named: Collection[int | None]) -> int:
    """How many a topic has.

    Raises:
        BrokerError: it has not those that messages name.
    """
    found = len(await producer.partitions_for(topic))
    if all(partition is not None and 0 <= partition < found for partition in named):
        return found
    await producer.client.force_metadata_update()
    found = len(await producer.partitions_for(topic))
    missing = [n for n in named if n is not None and not 0 <= n < found]
    if missing:
        raise BrokerError(f"topic {topic} has no partition {missing[0]}: expected 0 to {found - 1}")
    return found


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


async def _deliver(producer: Any, batch: Any, chain: _Chain, messages: int) -> bool:
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


async def _abandon(producer: Any) -> None:
    """Let go of a client without waiting for what it still has."""
    producer._closed = True
    for close in (producer._sender.close, producer.client.close):
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await close()
