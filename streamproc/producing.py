"""Many messages to Kafka at once, cheaply: delivered when `send` returns.

aiokafka's `send` costs a future, a lookup and a pure-Python key hash a message. Here one call
takes a whole batch: keys are hashed together, each partition's messages go into record batches,
and only the batches are awaited.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import uniform
from time import monotonic
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
class _Chain:
    """What goes to one partition.

    Attributes:
        left: positions of the messages that were not delivered yet, in order.
        too_large: positions of those that never will be.
        failure: why it stopped.
    """

    topic: str
    partition: int
    left: list[int]
    too_large: list[int]
    failure: KafkaError | None = None

    @property
    def where(self) -> str:
        return f"topic {self.topic}, partition {self.partition}"


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
        self._anywhere = count()
        self._turn = asyncio.Lock()

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
            await self._connect()
        except KafkaError as error:
            raise refusal(error, self._link) or BrokerError(
                f"cannot reach Kafka at {self._link.told}: {error}"
            ) from error
        self._started = True

    async def stop(self) -> None:
        """Disconnect, in bounded time. Does nothing when not connected."""
        self._started = False
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
        if not self._started:
            raise BrokerError(_NOT_CONNECTED)
        async with self._turn:
            too_large = await self._send(messages, monotonic() + self._seconds)
        if too_large:
            raise RecordTooLarge(messages, sorted(too_large))

    # -- sending -----------------------------------------------------------------------------

    async def _send(self, messages: Sequence[Outgoing], deadline: float) -> list[int]:
        """Deliver; positions of the messages that are too large."""
        chains: list[_Chain] = []
        for attempt in count():
            where = "any topic"
            try:
                if self._producer is None:
                    await self._connect()
                chains = chains or await self._chains(messages, deadline)
                # Every chain stops before an error is raised: none goes on behind the caller's back.
                ends = [self._send_chain(chain, messages, deadline) for chain in chains if chain.left]
                for error in await asyncio.gather(*ends, return_exceptions=True):
                    if error is not None:
                        raise error
                for chain in chains:
                    where = chain.where
                    if chain.failure is not None:
                        raise chain.failure
                return [index for chain in chains for index in chain.too_large]
            except KafkaError as error:
                # A batch that failed has used up its number: Kafka would take none behind it.
                await self._disconnect()
                await self._again(error, where, attempt, deadline)
        raise AssertionError

    async def _chains(self, messages: Sequence[Outgoing], deadline: float) -> list[_Chain]:
        """The messages by topic and partition."""
        by_topic: dict[str, list[int]] = defaultdict(list)
        for index, message in enumerate(messages):
            by_topic[message.topic].append(index)
        chains: list[_Chain] = []
        for topic, indices in by_topic.items():
            partitions = await self._partitions(topic, deadline)
            keys = [messages[index].key for index in indices]
            hashes = murmur2_all([b"" if key is None else key for key in keys])
            # Kafka's partitioner takes the hash without its sign bit.
            keyed = ((hashes & 0x7FFFFFFF) % partitions).tolist()
            anywhere = next(self._anywhere) % partitions
            targets: dict[int, list[int]] = defaultdict(list)
            for index, key, partition in zip(indices, keys, keyed, strict=True):
                named = messages[index].partition
                free = anywhere if key is None else partition
                targets[free if named is None else named].append(index)
            chains += [_Chain(topic, partition, its, []) for partition, its in targets.items()]
        return chains

    async def _partitions(self, topic: str, deadline: float) -> int:
        for attempt in count():
            try:
                return len(await self._connected().partitions_for(topic))
            except KafkaError as error:
                await self._again(error, f"topic {topic}", attempt, deadline)
        raise AssertionError

    async def _send_chain(self, chain: _Chain, messages: Sequence[Outgoing], deadline: float) -> None:
        """Send one partition's messages in order, until none is left or one batch fails."""
        chain.failure = None
        try:
            while chain.left:
                if len(messages[chain.left[0]].value or b"") > _SENT_BY_NOBODY:
                    chain.too_large.append(chain.left.pop(0))
                    continue
                batch, size = self._fill(messages, chain.left)
                await self._deliver(batch, chain, messages, chain.left[:size], deadline)
                del chain.left[:size]
        except KafkaError as error:
            chain.failure = error

    def _fill(self, messages: Sequence[Outgoing], indices: Sequence[int]) -> tuple[Any, int]:
        """A record batch of the first messages, at least one, and how many they are."""
        batch = self._connected().create_batch()
        append = batch.append
        for size, index in enumerate(indices):
            one = messages[index]
            headers = [*one.headers] if one.headers else _NO_HEADERS
            if append(timestamp=one.timestamp, key=one.key, value=one.value, headers=headers) is None:
                return batch, size
        return batch, len(indices)

    async def _deliver(
        self,
        batch: Any,
        chain: _Chain,
        messages: Sequence[Outgoing],
        indices: Sequence[int],
        deadline: float,
    ) -> None:
        """Send a record batch, and wait until it is delivered, less the messages that are too large."""
        producer = self._connected()
        answer = await producer.send_batch(batch, chain.topic, partition=chain.partition)
        # aiokafka goes on with a numbered batch for ever.
        await asyncio.wait([answer], timeout=max(0.0, deadline - monotonic()))
        if not answer.done() or answer.cancelled():
            raise KafkaTimeoutError("no answer")
        if (error := answer.exception()) is None:
            return
        if not isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            raise error
        # A batch that was refused for its size is as if it had not been: the next one has its number.
        numbers = producer._txn_manager
        numbers.increment_sequence_number(TopicPartition(chain.topic, chain.partition), -len(indices))
        if len(indices) == 1:
            chain.too_large += indices
            return
        # The broker measures the batch, not its messages: send the halves, down to the message that
        # is too large by itself.
        middle = len(indices) // 2
        for half in (indices[:middle], indices[middle:]):
            batch, _ = self._fill(messages, half)
            await self._deliver(batch, chain, messages, half, deadline)

    # -- the client --------------------------------------------------------------------------

    async def _connect(self) -> None:
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
            await producer.stop()
            raise
        self._producer = producer

    def _connected(self) -> Any:
        if self._producer is None:  # stopped meanwhile
            raise BrokerError(_NOT_CONNECTED)
        return self._producer

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)

    async def _again(self, error: KafkaError, where: str, attempt: int, deadline: float) -> None:
        """Wait before the next attempt.

        Raises:
            BrokerError: there is no use in another attempt, or no time left.
            SettingsError: we may not write there.
        """
        if not (error.retriable or isinstance(error, (KafkaTimeoutError, *_OUT_OF_STEP))):
            raise refusal(error, self._link) or BrokerError(
                f"Kafka refused to take messages for {where}: {error!r}"
            ) from error
        pause = uniform(0.5, 1.0) * min(0.1 * 2**attempt, 5.0)
        if monotonic() + pause > deadline:
            raise BrokerError(
                f"Kafka at {self._link.told} took no messages for {where} "
                f"within {self._seconds:g} s: {error!r}"
            ) from error
        await asyncio.sleep(pause)


async def _abandon(producer: Any) -> None:
    """Let go of a client without waiting for what it still has."""
    for close in (producer._sender.close, producer.client.close):
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await close()
