"""What goes to Kafka: tagged posts and dead letters from a worker, posts from a feed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from streamproc.deadletters import DeadLetter
from streamproc.errors import BrokerError, OutputTooLarge, PostError
from streamproc.output import Output
from streamproc.producing import BatchProducer, Outgoing, RecordTooLarge
from streamproc.settings import Topics

if TYPE_CHECKING:
    from streamproc.feeds.ingest import Sender


class KafkaSink:
    """Publishes in batches; what it returns from has been acknowledged by Kafka.

    One send is under way at a time. What comes meanwhile goes together with the next one: many
    small sends at once would wake each other up in the producer and cost more than they carry.

    Args:
        producer: connected.
        topics: where what goes.
    """

    def __init__(self, producer: BatchProducer, topics: Topics) -> None:
        self._producer = producer
        self._topics = topics
        self._waiting: list[tuple[Sequence[Outgoing], asyncio.Future[list[int]]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, outputs: Sequence[Output]) -> list[PostError | None]:
        """Deliver tagged posts to `entities` and those of shadows to `entities.shadow`."""
        messages: list[Outgoing] = []
        owners: list[int] = []
        topics, compacted = self._topics, self._topics.compacted
        for index, output in enumerate(outputs):
            topic = topics.shadow if output.shadow else topics.entities
            key = (output.tagged.entity_key if compacted else output.key).encode()
            messages.append(Outgoing(topic, key, output.tagged.to_json()))
            owners.append(index)
            if compacted and output.tagged.op == "delete":
                messages.append(Outgoing(topic, key, None))
                owners.append(index)
        reasons: list[PostError | None] = [None] * len(outputs)
        for index in await self._send(messages):
            reasons[owners[index]] = OutputTooLarge(
                f"the tagged post has {len(messages[index].value or b'')} bytes, more than topic "
                f"{messages[index].topic} takes: raise its max.message.bytes, then replay"
            )
        return reasons

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Deliver dead letters; one that is too large goes without its body, which stays in `posts`."""
        topic = self._topics.deadletters
        messages = [Outgoing(topic, x.key, x.body, x.all_headers()) for x in letters]
        # A letter without key and body could not be told from nothing at all.
        messages = [
            m if m.key is not None or m.value is not None else replace(m, value=b"") for m in messages
        ]
        cut = [letters[index].without_body() for index in await self._send(messages)]
        if cut and await self._send([Outgoing(topic, key, b"", headers) for key, headers in cut]):
            raise BrokerError(
                f"topic {topic} does not even take a letter's headers: raise its max.message.bytes"
            )

    async def _send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Deliver with the next send; positions of the messages that are too large for their topic."""
        delivered: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, delivered))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_waiting(), name="publish")
        return await delivered

    async def _send_waiting(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            refused: Sequence[int] = ()
            try:
                await self._producer.send([message for messages, _ in group for message in messages])
            except RecordTooLarge as error:
                refused = error.indices
            except Exception as error:  # noqa: BLE001 - handed to everyone who waits for this send
                for _, delivered in group:
                    if not delivered.done():
                        delivered.set_exception(error)
                continue
            start = 0
            for messages, delivered in group:
                end = start + len(messages)
                if not delivered.done():
                    delivered.set_result([index - start for index in refused if start <= index < end])
                start = end


def post_sender(producer: BatchProducer, topic: str) -> Sender:
    """What `ingest` sends with."""

    async def send(messages: list[tuple[bytes, bytes]]) -> Sequence[int]:
        try:
            await producer.send([Outgoing(topic, key, value) for key, value in messages])
        except RecordTooLarge as refused:
            return refused.indices
        return ()

    return send
