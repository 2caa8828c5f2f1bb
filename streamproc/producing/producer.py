"""The producer: connected, asked again, and replaced where Kafka would take no more of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from random import uniform
from types import TracebackType
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    KafkaTimeoutError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from streamproc.broker.closing import let_go
from streamproc.broker.link import Link
from streamproc.broker.refusals import refusal
from streamproc.errors import BrokerError
from streamproc.producing.chains import SENT_AT_ONCE, Room, Sending, chains_of, send_chain
from streamproc.producing.messages import Outgoing, RecordTooLarge

_NOT_CONNECTED: Final = "the producer is not connected: start it before sending"

_OUT_OF_STEP: Final = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)
"""Kafka counts the batches of a producer otherwise than we do: another producer begins anew."""

_NUMBERS: Final = 2**30
"""A client sends so many messages: at 2**31 of a partition Kafka begins at 0 again, aiokafka does not."""

_GOODBYE_S: Final = 5.0
"""How long a broker may take to accept the last of what was sent."""


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
        sending = Sending(messages, [*range(len(messages))], [])
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

    async def _send(self, sending: Sending) -> None:
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

    async def _send_what_is_left(self, sending: Sending, producer: Any) -> None:
        chains = await chains_of(sending, producer, next(self._anywhere))
        room = Room(SENT_AT_ONCE)
        ends = [send_chain(chain, sending, producer, room) for chain in chains]
        # Every chain stops before an error is raised: none goes on behind the caller's back.
        errors = await asyncio.gather(*ends, return_exceptions=True)
        sending.left = sorted(index for chain in chains for index in chain.left)
        for error in errors:
            if error is not None:
                raise error

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


async def _abandon(producer: Any) -> None:
    """Let go of a client without waiting for what it still has."""
    producer._closed = True
    await let_go(producer._sender, producer.client)
