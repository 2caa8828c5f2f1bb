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
from itertools import count
from random import uniform
from time import monotonic
from types import TracebackType
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, RecordListTooLargeError
from msgspec import Struct

from streamproc.broker.link import Link
from streamproc.broker.murmur2 import murmur2_all
from streamproc.broker.refusals import refusal
from streamproc.errors import BrokerError, Fate, StreamprocError

_SENT_BY_NOBODY: Final = 64 * 1024 * 1024
"""Bytes: a broker cuts the connection at a request of 100 MiB, which looks like a broker that is away."""

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


class BatchProducer:
    """Sends batches of messages; use it as an async context manager, or `start` and `stop` it.

    Kafka acknowledges from all in-sync replicas (acks=all). A batch whose acknowledgement got
    lost is sent again, so a message may arrive twice, never out of order within its partition:
    a partition's next batch leaves after the answer to the one before. (Kafka's idempotence
    would spare the second copy, but in aiokafka a refused batch leaves a gap in the sequence
    numbers, and the broker then refuses everything that follows.)

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
        self._producer: Any = None
        self._turn = count()

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
        producer = AIOKafkaProducer(
            acks="all",
            max_batch_size=self._batch_bytes,
            # aiokafka tries again by itself within this time; what is left of `seconds` is ours.
            request_timeout_ms=int(min(self._seconds, 10.0) * 1000),
            **self._link.arguments(),
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise refusal(error, self._link) or BrokerError(
                f"cannot reach Kafka at {self._link.told}: {error}"
            ) from error
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect, in bounded time. Does nothing when not connected."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await producer.stop()
        except TimeoutError:
            # No broker takes what is left; whoever sent it and still waited was told.
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await producer._sender.close()
                    await producer.client.close()

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Deliver messages; in order for each key, also over several calls that are awaited.

        Raises:
            RecordTooLarge: some were refused for their size; all others are delivered.
            BrokerError: Kafka refused for good, or stayed away too long: any of the messages may
                be delivered or not.
        """
        deadline = monotonic() + self._seconds
        targets = await self._targets(messages, deadline)
        chains = [
            self._send_partition(topic, partition, messages, indices, deadline)
            for (topic, partition), indices in targets.items()
        ]
        refused: list[int] = []
        failed: BaseException | None = None
        # Every chain ends before an error is raised: none goes on behind the caller's back.
        for outcome in await asyncio.gather(*chains, return_exceptions=True):
            if isinstance(outcome, BaseException):
                failed = failed or outcome
            else:
                refused += outcome
        if failed is not None:
            raise failed
        if refused:
            raise RecordTooLarge(messages, sorted(refused))

    async def _targets(
        self, messages: Sequence[Outgoing], deadline: float
    ) -> dict[tuple[str, int], list[int]]:
        """Positions of the messages by topic and partition."""
        by_topic: dict[str, list[int]] = defaultdict(list)
        for index, message in enumerate(messages):
            by_topic[message.topic].append(index)
        targets: dict[tuple[str, int], list[int]] = defaultdict(list)
        for topic, indices in by_topic.items():
            partitions = await self._partitions(topic, deadline)
            keys = [messages[index].key for index in indices]
            hashes = murmur2_all([b"" if key is None else key for key in keys])
            # Kafka's partitioner takes the hash without its sign bit.
            keyed = ((hashes & 0x7FFFFFFF) % partitions).tolist()
            anywhere = next(self._turn) % partitions
            for index, key, partition in zip(indices, keys, keyed, strict=True):
                named = messages[index].partition
                free = anywhere if key is None else partition
                targets[topic, free if named is None else named].append(index)
        return targets

    async def _partitions(self, topic: str, deadline: float) -> int:
        for attempt in count():
            try:
                return len(await self._connected().partitions_for(topic))
            except KafkaError as error:
                await self._again(error, f"topic {topic}", attempt, deadline)
        raise AssertionError

    async def _send_partition(
        self, topic: str, partition: int, messages: Sequence[Outgoing], indices: list[int], deadline: float
    ) -> list[int]:
        """Send one partition's messages in order; positions of those that are too large."""
        refused: list[int] = []
        position = 0
        while position < len(indices):
            size = len(messages[indices[position]].value or b"")
            if size > _SENT_BY_NOBODY:
                refused.append(indices[position])
                position += 1
                continue
            batch, end = self._fill(messages, indices, position)
            refused += await self._deliver(
                batch, topic, partition, messages, indices[position:end], deadline
            )
            position = end
        return refused

    def _fill(self, messages: Sequence[Outgoing], indices: Sequence[int], start: int) -> tuple[Any, int]:
        """A record batch of the messages from `start` on, at least one, and the position behind them."""
        batch = self._connected().create_batch()
        append = batch.append
        for position in range(start, len(indices)):
            one = messages[indices[position]]
            headers = list(one.headers)
            if append(timestamp=one.timestamp, key=one.key, value=one.value, headers=headers) is None:
                return batch, position
        return batch, len(indices)

    async def _deliver(
        self,
        batch: Any,
        topic: str,
        partition: int,
        messages: Sequence[Outgoing],
        indices: list[int],
        deadline: float,
    ) -> list[int]:
        """Send a record batch and wait for the answer; positions of messages that are too large."""
        for attempt in count():
            try:
                await (await self._connected().send_batch(batch, topic, partition=partition))
                return []
            except (MessageSizeTooLargeError, RecordListTooLargeError):
                if len(indices) == 1:
                    return indices
                # The broker measures the batch, not its messages: send the halves, down to the
                # message that is too large by itself.
                middle = len(indices) // 2
                refused: list[int] = []
                for half in (indices[:middle], indices[middle:]):
                    batch, _ = self._fill(messages, half, 0)
                    refused += await self._deliver(batch, topic, partition, messages, half, deadline)
                return refused
            except KafkaError as error:
                await self._again(error, f"topic {topic}, partition {partition}", attempt, deadline)
                batch, _ = self._fill(messages, indices, 0)
        raise AssertionError

    def _connected(self) -> Any:
        if self._producer is None:
            raise BrokerError("the producer is not connected: start it before sending")
        return self._producer

    async def _again(self, error: KafkaError, where: str, attempt: int, deadline: float) -> None:
        """Wait before the next attempt.

        Raises:
            BrokerError: there is no use in another attempt, or no time left.
            SettingsError: we may not write there.
        """
        if not (error.retriable or isinstance(error, KafkaTimeoutError)):
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
