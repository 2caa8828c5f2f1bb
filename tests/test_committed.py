"""A coordinator that does not know its offsets yet is asked again; it is not a group without offsets."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3

from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from streamproc.transport import BatchSchema, Fetching
from tests.apps.batch_app import make_app
from tests.services.kafka import Kafka


@pytest.mark.parametrize("refusal", [GroupLoadInProgressError, NotCoordinatorForGroupError])
async def test_reading_goes_on_where_the_group_stood_after_a_coordinator_was_away(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Any
) -> None:
    name = await kafka.create(f"t{uuid.uuid4().hex[:12]}")
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        await producer.send([Outgoing(name, b"key", b"%d" % number) for number in range(10)])
    await _commit(kafka, name, 7)
    refused = []
    send = GroupCoordinator._send_req

    async def refuse_at_first(coordinator: GroupCoordinator, request: Any) -> Any:
        if isinstance(request, OffsetFetchRequest) and len(refused) < 3:
            refused.append(request)
            return OffsetFetchResponse_v3(0, [], refusal.errno)
        return await send(coordinator, request)

    monkeypatch.setattr(GroupCoordinator, "_send_req", refuse_at_first)
    app = make_app(kafka.bootstrap, name, tmp_path, Fetching())
    read: list[int] = []

    @app.agent(app.topic(name, schema=BatchSchema()))
    async def collect(stream: Any) -> None:
        async for event in stream.noack().events():
            read.extend(int(record.value) for record in event.value)
            event.value.done_all()

    app.loop = asyncio.get_running_loop()
    await app.start()
    try:
        async with asyncio.timeout(30):
            while 9 not in read:
                await asyncio.sleep(0.01)
    finally:
        await app.stop()
    assert read == [7, 8, 9]
    assert len(refused) == 3


async def _commit(kafka: Kafka, name: str, offset: int) -> None:
    place = TopicPartition(name, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=name, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.commit({place: offset})
    finally:
        await consumer.stop()
