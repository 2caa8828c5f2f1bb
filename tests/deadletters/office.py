"""Topics of a test's own with posts and letters in them, and the command run in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any, NamedTuple
from uuid import uuid4

import kafka
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient

from streamproc.broker.connecting import partitions_of_topics
from streamproc.broker.link import Link
from streamproc.cli.main import main
from streamproc.deadletters import DeadLetter
from streamproc.entities import Revision
from streamproc.errors import PluginFailed
from streamproc.kafka_sink import KafkaSink
from streamproc.producing import BatchProducer, Outgoing
from streamproc.settings import Topics
from tests.services.kafka import Kafka


class Ended(NamedTuple):
    """A command that has run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def body(number: int, **more: Any) -> bytes:
    return json.dumps({"platform": "test", "id": str(number), "text": f"Ada {number}", **more}).encode()


def delete(number: int) -> bytes:
    return json.dumps({"platform": "test", "id": str(number), "op": "delete"}).encode()


def letter(number: int, partition: int = 0, offset: int = 0, **more: Any) -> DeadLetter:
    """The letter of a post that was read at a place of `posts`."""
    made = DeadLetter(
        key=b"test:%d" % number,
        body=body(number),
        topic="",
        partition=partition,
        offset=offset,
        timestamp=1_700_000_000_000,
        error=PluginFailed(f"no luck with {number}"),
        stage="fuse",
        attempts=1,
        plugin="picky",
        revision=Revision(partition, offset),
    )
    return replace(made, **more)


class Office:
    """Two topics, `posts` and `dead`."""

    def __init__(self, kafka: Kafka, partitions: int = 2, dead_bytes: int = 2_000_000) -> None:
        name = f"office{uuid4().hex[:8]}"
        self.kafka = kafka
        self.partitions = partitions
        self.posts = kafka.create_topic(f"{name}.posts", partitions)
        self.dead = kafka.create_topic(f"{name}.dead", partitions, max_message_bytes=dead_bytes)
        while not {self.posts, self.dead} <= set(asyncio.run(partitions_of_topics(Link(kafka.bootstrap)))):
            pass  # the broker says that a topic is made before it knows it itself

    @property
    def flags(self) -> list[str]:
        return [
            *("--broker", self.kafka.bootstrap),
            *("--set", f"topics.posts={self.posts}", "--set", f"topics.deadletters={self.dead}"),
        ]

    def run(self, name: str, *arguments: str) -> Ended:
        out, err, code = StringIO(), StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(["deadletters", name, *self.flags, *arguments])
            except SystemExit as end:
                code = int(end.code or 0)
        return Ended(code, out.getvalue(), err.getvalue())

    def send(self, *messages: tuple[bytes | None, bytes | None, int]) -> None:
        """Posts: key, value and partition."""
        self.send_all([Outgoing(self.posts, key, value, partition=p) for key, value, p in messages])

    def send_all(self, messages: Sequence[Outgoing]) -> None:
        async def send() -> None:
            async with BatchProducer(Link(self.kafka.bootstrap)) as producer:
                await producer.send(messages)

        asyncio.run(send())

    def bury(self, *letters: DeadLetter) -> None:
        """Letters as a worker leaves them, one after another."""
        topics = Topics(posts=self.posts, deadletters=self.dead)

        async def bury() -> None:
            async with BatchProducer(Link(self.kafka.bootstrap)) as producer:
                await KafkaSink(producer, topics).bury(
                    [replace(x, topic=x.topic or self.posts) for x in letters]
                )

        asyncio.run(bury())

    def letters(self, *arguments: str) -> list[dict[str, Any]]:
        """What `list --json` shows."""
        shown: list[dict[str, Any]] = self.run("list", "--json", *arguments).json["letters"]
        return shown

    def place(self, key: int | str) -> str:
        """Where the newest letter of a post lies: of `test:KEY`, or of a key as it is listed."""
        named = f"test:{key}" if isinstance(key, int) else key
        return str([x["letter"] for x in self.letters() if x["key"] == named][-1])

    def sent(self) -> list[tuple[bytes | None, bytes | None]]:
        """Keys and bodies in `posts`."""
        return [(record.key, record.value) for record in self.read(self.posts)]

    def forget(self, before: int) -> None:
        """Retention comes by partition 0 of `posts`."""
        client = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        try:
            client.delete_records({kafka.TopicPartition(self.posts, 0): before})
        finally:
            client.close()

    def read(self, topic: str) -> list[Any]:
        """All that a topic holds, by partition and offset."""
        return asyncio.run(self.read_now(topic))

    async def read_now(self, topic: str) -> list[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap, fetch_max_wait_ms=50)
        await consumer.start()
        try:
            places = [TopicPartition(topic, partition) for partition in range(self.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: list[Any] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()
