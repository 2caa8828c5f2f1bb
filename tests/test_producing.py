"""Batches of messages on a real Kafka: where they land, in what order, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.partitioner import murmur2
from aiokafka.producer.sender import Sender
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamproc.broker.link import Link
from streamproc.broker.murmur2 import murmur2_all
from streamproc.errors import BrokerError
from streamproc.producing import BatchProducer, Outgoing, RecordTooLarge
from streamproc.producing import producer as producer_module
from tests.services.kafka import Kafka
from tests.services.process import free_ports


async def read(bootstrap: str, topic: str, partitions: int) -> list:
    """Everything in a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends = await consumer.end_offsets(tps)
        records: list = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for chunk in (await consumer.getmany(timeout_ms=1000)).values():
                records += chunk
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[BatchProducer]:
    async with BatchProducer(Link(kafka.bootstrap)) as ready:
        yield ready


# What Java's org.apache.kafka.common.utils.Utils.murmur2 gives, as its own unit test lists it.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_keys_hash_as_in_java() -> None:
    assert murmur2_all(list(JAVA)).astype("int32").tolist() == list(JAVA.values())


@given(st.lists(st.binary(max_size=70) | st.binary(min_size=1020, max_size=1030), max_size=12))
def test_hashing_together_is_hashing_each(keys: list[bytes]) -> None:
    assert murmur2_all(keys).tolist() == [murmur2(key) for key in keys]


async def test_messages_arrive_whole_and_where_kafka_would_put_their_key(
    kafka: Kafka, producer: BatchProducer
) -> None:
    await kafka.create("producing-whole", 5)
    messages = [
        Outgoing("producing-whole", b"bsky:%d" % n, b"v%d" % n, [("n", b"%d" % n)], 1700000000000 + n)
        for n in range(200)
    ]
    messages[7] = Outgoing("producing-whole", b"gone", None)
    await producer.send(messages)
    records = await read(kafka.bootstrap, "producing-whole", 5)
    assert sorted((r.key, r.value) for r in records) == sorted((m.key, m.value) for m in messages)
    for r in records:
        assert r.partition == (murmur2(r.key) & 0x7FFFFFFF) % 5
        if r.value is not None:
            assert (dict(r.headers)["n"], r.timestamp) == (r.value[1:], 1700000000000 + int(r.value[1:]))


async def test_messages_of_a_key_keep_their_order_over_calls(kafka: Kafka, producer: BatchProducer) -> None:
    await kafka.create("producing-order", 3)
    for first in range(0, 300, 60):
        await producer.send(
            [Outgoing("producing-order", b"k%d" % (n % 7), b"%d" % n) for n in range(first, first + 60)]
        )
    records = await read(kafka.bootstrap, "producing-order", 3)
    assert len(records) == 300
    for key in {r.key for r in records}:
        values = [int(r.value) for r in records if r.key == key]
        assert values == sorted(values)


async def test_messages_without_key_are_delivered(kafka: Kafka, producer: BatchProducer) -> None:
    await kafka.create("producing-keyless", 3)
    for n in range(6):
        await producer.send([Outgoing("producing-keyless", None, b"%d" % n)])
    records = await read(kafka.bootstrap, "producing-keyless", 3)
    assert {r.value for r in records} == {b"%d" % n for n in range(6)}
    assert {r.partition for r in records} == {0, 1, 2}


async def test_the_oversize_message_is_named_and_the_others_are_delivered(
    kafka: Kafka, producer: BatchProducer
) -> None:
    await kafka.create("producing-oversize", 2, max_message_bytes=20_000)
    messages = [Outgoing("producing-oversize", b"k%d" % n, b"x" * 300) for n in range(200)]
    for n in (0, 57, 199):
        messages[n] = replace(messages[n], value=b"x" * 30_000)
    with pytest.raises(RecordTooLarge) as refusal:
        await producer.send(messages)
    assert refusal.value.indices == (0, 57, 199)
    await producer.send([Outgoing("producing-oversize", b"after", b"x")])
    records = await read(kafka.bootstrap, "producing-oversize", 2)
    delivered = {m.key for n, m in enumerate(messages) if n not in {0, 57, 199}} | {b"after"}
    assert sorted(r.key for r in records) == sorted(delivered)


class Wire:
    """Stands in for the way to the broker: what it does to the requests that carry messages."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.produced = 0
        self.lost = 0
        self.silent = False
        real = AIOKafkaClient.send

        async def send(client: Any, node: Any, request: Any, **options: Any) -> Any:
            if type(request).__name__ != "ProduceRequest":
                return await real(client, node, request, **options)
            self.produced += 1
            if self.silent:
                await asyncio.Event().wait()
            answer = await real(client, node, request, **options)
            if self.lost:
                self.lost -= 1
                raise KafkaConnectionError("cut, behind the broker's back")
            return answer

        monkeypatch.setattr(AIOKafkaClient, "send", send)


async def test_a_batch_whose_answer_got_lost_is_kept_once(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka.create("producing-lost", 1)
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        await producer.send([Outgoing("producing-lost", b"k", b"0")])
        wire = Wire(monkeypatch)
        wire.lost = 2
        await producer.send([Outgoing("producing-lost", b"k", b"%d" % n) for n in range(1, 50)])
        assert wire.produced == 3
        await producer.send([Outgoing("producing-lost", b"k", b"50")])
    records = await read(kafka.bootstrap, "producing-lost", 1)
    assert [r.value for r in records] == [b"%d" % n for n in range(51)]


async def test_a_producer_that_kafka_counts_otherwise_begins_anew(
    kafka: Kafka, producer: BatchProducer
) -> None:
    await kafka.create("producing-numbers", 2)
    await producer.send([Outgoing("producing-numbers", b"k%d" % n, b"a") for n in range(20)])
    numbers = producer._producer._txn_manager
    numbers.increment_sequence_number(TopicPartition("producing-numbers", 0), 3)
    await producer.send([Outgoing("producing-numbers", b"k%d" % n, b"b") for n in range(20)])
    assert producer._producer._txn_manager is not numbers
    records = await read(kafka.bootstrap, "producing-numbers", 2)
    for n in range(20):
        values = [r.value for r in records if r.key == b"k%d" % n]
        assert values[0] == b"a"
        assert set(values[1:]) == {b"b"}


async def test_a_broker_that_says_nothing_is_an_error_in_time_and_the_next_send_works(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka.create("producing-silent", 1)
    async with BatchProducer(Link(kafka.bootstrap), seconds=1.0) as producer:
        await producer.send([Outgoing("producing-silent", b"k", b"0")])
        wire = Wire(monkeypatch)
        wire.silent, start = True, monotonic()
        with pytest.raises(BrokerError, match="took no messages for topic producing-silent"):
            await producer.send([Outgoing("producing-silent", b"k", b"1")])
        assert monotonic() - start < 10
        wire.silent = False
        await producer.send([Outgoing("producing-silent", b"k", b"2")])
    records = await read(kafka.bootstrap, "producing-silent", 1)
    assert [r.value for r in records] == [b"0", b"2"]


async def test_a_refused_batch_leaves_the_producer_as_it_is(kafka: Kafka, producer: BatchProducer) -> None:
    await kafka.create("producing-refused", 1, max_message_bytes=2_000)
    await producer.send([Outgoing("producing-refused", b"k", b"first")])
    client = producer._producer
    with pytest.raises(RecordTooLarge):
        await producer.send([Outgoing("producing-refused", b"k", b"x" * size) for size in (9, 3_000, 9)])
    await producer.send([Outgoing("producing-refused", b"k", b"last")])
    assert producer._producer is client
    records = await read(kafka.bootstrap, "producing-refused", 1)
    assert [len(r.value) for r in records] == [5, 9, 9, 4]


async def test_of_many_messages_each_that_is_too_large_is_named_once(
    kafka: Kafka, producer: BatchProducer
) -> None:
    await kafka.create("producing-many", 1, max_message_bytes=20_000)
    sizes = [30_000 if n % 7 == 0 else 200 for n in range(300)]
    with pytest.raises(RecordTooLarge) as refusal:
        await producer.send(
            [Outgoing("producing-many", b"%d" % n, b"x" * size) for n, size in enumerate(sizes)]
        )
    assert refusal.value.indices == tuple(range(0, 300, 7))
    records = await read(kafka.bootstrap, "producing-many", 1)
    assert [int(r.key) for r in records] == [n for n in range(300) if n % 7]


async def test_a_client_that_has_used_up_its_numbers_makes_way_for_another(
    kafka: Kafka, producer: BatchProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka.create("producing-used-up", 1)
    monkeypatch.setattr(producer_module, "_NUMBERS", 10)
    clients = set()
    for n in range(0, 30, 5):
        await producer.send([Outgoing("producing-used-up", b"k", b"%d" % m) for m in range(n, n + 5)])
        clients.add(producer._producer)
    assert len(clients) == 2
    records = await read(kafka.bootstrap, "producing-used-up", 1)
    assert [int(r.value) for r in records] == list(range(30))


async def test_what_is_more_than_a_broker_takes_at_once_goes_in_several_requests(kafka: Kafka) -> None:
    await kafka.create("producing-heavy", 2, max_message_bytes=60 * 1024 * 1024)
    async with BatchProducer(Link(kafka.bootstrap), seconds=40) as producer:
        heavy = b"x" * (55 * 1024 * 1024)
        await producer.send([Outgoing("producing-heavy", None, heavy, partition=n) for n in (0, 1)])
        with pytest.raises(RecordTooLarge):
            await producer.send([Outgoing("producing-heavy", heavy + heavy, b"v")])


async def test_a_partition_that_is_not_there_is_named_and_one_that_is_new_is_found(
    kafka: Kafka, producer: BatchProducer
) -> None:
    await kafka.create("producing-places", 1)
    await producer.send([Outgoing("producing-places", b"k", b"0")])
    with pytest.raises(BrokerError, match="topic producing-places has no partition 1: expected 0 to 0"):
        await producer.send([Outgoing("producing-places", b"k", b"1", partition=1)])
    await producer.send([Outgoing("producing-places", b"k", b"1")])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_partitions({"producing-places": NewPartitions(2)})
    await admin.close()
    await producer.send([Outgoing("producing-places", b"k", b"2", partition=1)])
    records = await read(kafka.bootstrap, "producing-places", 2)
    assert [(r.partition, r.value) for r in records] == [(0, b"0"), (0, b"1"), (1, b"2")]


async def test_a_broker_that_gives_no_number_is_an_error_in_time(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Sender) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sender, "_maybe_wait_for_pid", never)
    async with asyncio.timeout(10):
        with pytest.raises(BrokerError, match="cannot reach Kafka"):
            await BatchProducer(Link(kafka.bootstrap), seconds=0.5).start()


async def test_stopping_ends_what_is_being_sent(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer_module, "_GOODBYE_S", 0.5)
    producer = BatchProducer(Link(kafka.bootstrap))
    await producer.start()
    sends = [asyncio.create_task(producer.send([Outgoing("nowhere", b"k", b"v")])) for _ in range(3)]
    await asyncio.sleep(0.2)
    async with asyncio.timeout(15):
        await producer.stop()
        ended = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(error) for error in ended] == [BrokerError] * 3
    assert producer._producer is None


async def test_a_message_larger_than_a_batch_goes_alone(kafka: Kafka) -> None:
    await kafka.create("producing-large", 1)
    values = [b"a", b"b" * 50_000, b"c"]
    async with BatchProducer(Link(kafka.bootstrap), batch_bytes=4096) as small:
        await small.send([Outgoing("producing-large", b"k", value) for value in values])
    assert [r.value for r in await read(kafka.bootstrap, "producing-large", 1)] == values


async def test_a_topic_that_is_not_there_fails_in_bounded_time(kafka: Kafka) -> None:
    async with BatchProducer(Link(kafka.bootstrap), seconds=0.5) as hasty:
        with pytest.raises(BrokerError, match="topic nowhere"):
            await hasty.send([Outgoing("nowhere", b"k", b"v")])


async def test_no_broker_is_one_clear_error() -> None:
    with pytest.raises(BrokerError, match="cannot reach Kafka"):
        await BatchProducer(Link(f"127.0.0.1:{free_ports(1)[0]}")).start()


async def test_sending_before_start_is_an_error() -> None:
    with pytest.raises(BrokerError, match="not connected"):
        await BatchProducer(Link("127.0.0.1:1")).send([Outgoing("posts", b"k", b"v")])


async def test_the_embedded_broker_takes_batches(mock_broker) -> None:
    partitions = mock_broker.create_topic("posts")
    async with BatchProducer(Link(mock_broker.address)) as producer:
        await producer.send([Outgoing("posts", b"k%d" % n, b"v", [("h", b"1")]) for n in range(50)])
    records = await read(mock_broker.address, "posts", partitions)
    assert {r.key for r in records} == {b"k%d" % n for n in range(50)}
    assert all(r.partition == (murmur2(r.key) & 0x7FFFFFFF) % partitions for r in records)
