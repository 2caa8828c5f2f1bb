"""The embedded broker: what it is, and what its limits do."""

from __future__ import annotations

import sys

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamproc.broker.embedded import PARTITION_BYTES, PARTITIONS, EmbeddedBroker
from streamproc.broker.link import Link
from streamproc.errors import BrokerError
from streamproc.producing import BatchProducer, Outgoing


def test_a_topic_has_the_partitions_that_the_module_says(mock_broker: EmbeddedBroker) -> None:
    assert mock_broker.create_topic("posts") == PARTITIONS
    assert mock_broker.create_topic("posts") == PARTITIONS


async def test_beyond_its_bytes_a_partition_forgets_the_oldest(mock_broker: EmbeddedBroker) -> None:
    mock_broker.create_topic("posts")
    async with BatchProducer(Link(mock_broker.address)) as producer:
        for _ in range(8):
            await producer.send([Outgoing("posts", b"one key", b"x" * 100_000) for _ in range(10)])
    consumer = AIOKafkaConsumer(bootstrap_servers=mock_broker.address)
    await consumer.start()
    try:
        tps = [TopicPartition("posts", p) for p in range(PARTITIONS)]
        first, last = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    finally:
        await consumer.stop()
    (full,) = [tp for tp in tps if last[tp]]
    assert last[full] == 80
    assert first[full] > 0
    assert (last[full] - first[full]) * 100_000 <= PARTITION_BYTES


def test_each_is_on_its_own() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.address != other.address


def test_it_has_no_address_once_stopped() -> None:
    broker = EmbeddedBroker()
    with broker:
        assert broker.address.startswith("127.0.0.1:")
    with pytest.raises(BrokerError, match="not running"):
        _ = broker.address


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(BrokerError, match=r"streamproc\[demo\]"):
        EmbeddedBroker().start()
