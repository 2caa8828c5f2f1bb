"""Stopping where the group or the broker is not at rest."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import MessageAccumulator

from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from streamproc.producing import producer as producer_module
from streamproc.settings import load_settings
from streamproc.transport import Batch, BatchSchema, Fetching, fetching
from streamproc.worker import Worker
from tests.apps.batch_app import make_app
from tests.services import kafka as kafka_service
from tests.services.kafka import Kafka


@pytest.fixture
async def topic(kafka: Kafka) -> str:
    """A topic with ten posts in one partition; also the name of a group that reads it."""
    name = await kafka.create(f"t{uuid.uuid4().hex[:12]}")
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        await producer.send([Outgoing(name, b"key", b"%d" % number) for number in range(10)])
    return name


def collect(app: faust.App, topic: str) -> list[Batch]:
    """The batches that the app's agent is given."""
    batches: list[Batch] = []

    @app.agent(app.topic(topic, schema=BatchSchema()))
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            batches.append(event.value)  # noqa: PERF401 - a stream has no end

    app.loop = asyncio.get_running_loop()
    return batches


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def committed(kafka: Kafka, name: str) -> int | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=name, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, 0)])
        return await consumer.committed(TopicPartition(name, 0))
    finally:
        await consumer.stop()


async def test_a_rebalance_that_comes_while_an_app_stops_costs_no_commit(
    kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    app = make_app(kafka.bootstrap, topic, tmp_path, Fetching(), broker_commit_interval=600.0)
    batches = collect(app, topic)
    await app.start()
    await until(lambda: sum(map(len, batches)) == 10)
    stopping = asyncio.create_task(app.stop())
    await until(lambda: app.should_stop)
    revoking = asyncio.create_task(app.consumer.on_partitions_revoked(app.consumer.assignment()))
    for _ in range(10):
        await asyncio.sleep(0)
    for batch in batches:
        batch.done_all()
    await asyncio.gather(stopping, revoking)
    assert await committed(kafka, topic) == 10


async def test_an_app_ends_although_no_coordinator_answers(
    kafka: Kafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "ANSWER_S", 0.1)
    app = make_app(kafka.bootstrap, topic, tmp_path, Fetching(), broker_commit_interval=600.0)
    batches = collect(app, topic)
    await app.start()
    await until(lambda: sum(map(len, batches)) == 10)

    async def never(_: GroupCoordinator) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(GroupCoordinator, "ensure_coordinator_known", never)
    for batch in batches:
        batch.done_all()
    async with asyncio.timeout(30):
        await app.stop()
    monkeypatch.undo()
    assert await committed(kafka, topic) is None


async def test_a_producer_disconnects_although_no_broker_takes_the_rest(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: MessageAccumulator) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(producer_module, "_GOODBYE_S", 0.1)
    monkeypatch.setattr(MessageAccumulator, "flush", never)
    producer = BatchProducer(Link(kafka.bootstrap))
    await producer.start()
    client = producer._producer.client
    async with asyncio.timeout(20):
        await producer.stop()
    assert not any(connection.connected() for connection in client._conns.values())


async def test_a_worker_ends_at_once_when_its_broker_is_gone(tmp_path: Path) -> None:
    with kafka_service.running(tmp_path) as kafka:
        for topic in ("posts", "entities", "posts.deadletters"):
            await kafka.create(topic, 2)
        settings = load_settings(
            environment={}, assignments=[f"kafka.broker={kafka.bootstrap}", 'routes=[{primary="capitals"}]']
        )
        worker = Worker(settings)
        await worker.start()
        await until(lambda: len(worker.progress()) == 2)
        kafka.server.kill()
        await asyncio.sleep(2)  # fetches fail by now
        async with asyncio.timeout(20):
            await worker.stop()
