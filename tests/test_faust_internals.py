"""Every name inside Faust and aiokafka that the batch transport leans on, and what would break without it.

Both are pinned to a tested range. When a newer release moves one of these, this file says so
before a worker loses a post.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Subscription, SubscriptionState
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust import Schema
from faust.app.base import App
from faust.tables import TableManager
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage
from mode.threads import ServiceThread

from streamproc.transport import BatchTransport, Fetching
from streamproc.transport.batches import BatchMessage, BatchSchema
from streamproc.transport.committing import LedgerConsumer
from streamproc.transport.consumer import BatchConsumer
from streamproc.transport.fetching import FetchingClient
from streamproc.transport.records import FetchedRecord, FetchedRecords, fetch_structs
from streamproc.transport.tables import NoTables
from tests.apps.batch_app import make_app

OVERRIDDEN = [
    (
        BatchConsumer,
        "_new_consumer_thread",
        "stock's thread would fetch, which can lose records",
    ),
    (LedgerConsumer, "_filter_tps_with_pending_acks", "partitions fed in batches would never be committed"),
    (LedgerConsumer, "_new_offset", "stock would commit past unfinished records"),
    (LedgerConsumer, "_should_commit", "an offset would be committed again and again, or never"),
    (LedgerConsumer, "_commit_offsets", "a failed commit would count as committed"),
    (
        LedgerConsumer,
        "on_partitions_revoked",
        "work on another's partitions would still be published",
    ),
    (LedgerConsumer, "seek_to_committed", "batches from before a seek would still count"),
    (LedgerConsumer, "seek", "batches from before a seek would still count"),
    (LedgerConsumer, "wait_empty", "a rebalance would not wait for started batches: duplicates"),
    (BatchConsumer, "_drain_messages", "records would be delivered one event each"),
    (FetchingClient, "__post_init__", "nothing that was handed out would be remembered"),
    (FetchingClient, "on_start", "a coordinator that moves would have the whole topic read again"),
    (FetchingClient, "stop", "a worker would end before aiokafka has left the group"),
    (FetchingClient, "close", "a stop in the middle of a rebalance would not leave the group"),
    (FetchingClient, "on_thread_stop", "a stop would wait for a broker that does not answer"),
    (FetchingClient, "_keepalive2", "a thread that is not there would be told not to respond"),
    (FetchingClient, "_gather_remaining_tasks", "a stop would cancel all the tasks of the worker"),
    (FetchingClient, "getmany", "fetches would not be bounded by the room for posts"),
    (FetchingClient, "_fetch_records", "records that a cancelled fetcher had in hand would be lost"),
    (FetchingClient, "seek_to_committed", "records from before a seek would be delivered"),
    (FetchingClient, "seek", "records from before a seek would be delivered"),
    (FetchingClient, "_seek_wait", "records from before a seek would be delivered"),
    (BatchMessage, "on_final_ack", "an ack would commit a whole batch, done or not"),
    (BatchSchema, "compile", "the agent would not get a Batch"),
    (NoTables, "on_start", "a worker would start a second later"),
    (BatchTransport, "create_consumer", "the app would get the stock consumer"),
]


@pytest.mark.parametrize(
    ("ours", "name", "breaks"), OVERRIDDEN, ids=lambda value: getattr(value, "__name__", None)
)
def test_what_we_override_is_there_and_is_called_as_we_expect(ours: type, name: str, breaks: str) -> None:
    parent = getattr(ours.__mro__[1], name, None)
    assert parent is not None, f"{ours.__mro__[1].__name__}.{name} is gone: {breaks}"
    theirs = inspect.signature(parent)
    mine = inspect.signature(vars(ours)[name])
    takes_any = any(p.kind is p.VAR_KEYWORD for p in mine.parameters.values())
    for parameter in theirs.parameters.values():
        assert parameter.name in mine.parameters or takes_any, f"{name}({parameter.name}) is new: {breaks}"
    for parameter in mine.parameters.values():
        required = (
            parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )
        assert not required or parameter.name in theirs.parameters, (
            f"{name}({parameter.name}) is gone: {breaks}"
        )
    assert inspect.iscoroutinefunction(parent) == inspect.iscoroutinefunction(vars(ours)[name])


CALLED: list[tuple[Any, str, tuple[str, ...], str]] = [
    (Consumer, "_wait_next_records", ("self", "timeout"), "the fetch loop fetches through it"),
    (Consumer, "commit", ("self", "topics", "start_new_transaction"), "the fetch loop commits through it"),
    (Consumer, "_add_gap", ("self", "tp", "offset_from", "offset_to"), "stock topics commit over holes"),
    (Consumer, "resume_flow", ("self",), "sets can_resume_flow, for which the fetch loop waits"),
    (Consumer, "stop_flow", ("self",), "sets suspend_flow, which ends the delivery of single messages"),
    (ThreadDelegateConsumer, "highwater", ("self", "tp"), "lag has no end offset"),
    (ThreadDelegateConsumer, "assignment", ("self",), "progress() does not know the partitions"),
    (driver.Consumer, "_to_message", ("self", "tp", "record"), "stock topics get no messages"),
    (driver.AIOKafkaConsumerThread, "call_thread", ("self", "fun", "args", "kwargs"), "one call at a time"),
    (ServiceThread, "_serve", ("self",), "runs the client; on the worker's loop here"),
    (ServiceThread, "set_shutdown", ("self",), "a client that crashed would be waited for without end"),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", ("self",), "gives aiokafka's consumer"),
    (Fetcher, "_fetcher", ("self",), "calls Consumer._drain_messages(self)"),
    (TableManager, "_update_channels", ("self",), "the conductor waits until tables are registered"),
    (App, "_stop_consumer", ("self",), "drains at a graceful stop"),
    (App, "_on_partitions_revoked", ("self", "revoked"), "stops the flow and calls wait_empty"),
    (App, "_new_consumer", ("self",), "asks app.transport for the consumer"),
    (Conductor, "acks_enabled_for", ("self", "topic"), "tells whether holes count"),
    (SubscriptionState, "fetch_context", ("self",), "a sign of life while fetching is held back"),
    (GroupCoordinator, "_send_req", ("self", "request"), "answers are checked there"),
    (GroupCoordinator, "coordinator_dead", ("self",), "a coordinator that has moved is looked for"),
    (GroupCoordinator, "check_errors", ("self",), "a refused group would be waited for without end"),
    (aiokafka.AIOKafkaConsumer, "committed", ("self", "partition"), "finds where to seek to"),
    (aiokafka.AIOKafkaConsumer, "seek", ("self", "partition", "offset"), "rewinds what nobody took"),
    (aiokafka.AIOKafkaProducer, "create_batch", ("self",), "BatchProducer fills record batches"),
    (aiokafka.AIOKafkaProducer, "send_batch", ("self", "batch", "topic", "partition"), "and sends them"),
    (aiokafka.AIOKafkaProducer, "partitions_for", ("self", "topic"), "BatchProducer knows where keys go"),
    (TransactionManager, "increment_sequence_number", ("self", "tp", "increment"), "takes numbers back"),
    (Sender, "close", ("self",), "a producer is let go of although a broker does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "use"), CALLED, ids=lambda value: getattr(value, "__name__", None)
)
def test_what_we_call_is_there_with_its_parameters(
    owner: Any, name: str, parameters: tuple[str, ...], use: str
) -> None:
    member = getattr(owner, name, None)
    assert member is not None, f"{owner.__name__}.{name} is gone: {use}"
    function: Callable[..., Any] = getattr(member, "fun", member)  # a Service.task wraps its function
    assert tuple(inspect.signature(function).parameters) == parameters, use


async def test_the_consumer_keeps_its_books_where_we_look(tmp_path: Path) -> None:
    app = make_app("127.0.0.1:1", "internals", tmp_path, Fetching())
    consumer = app.consumer
    assert isinstance(consumer, BatchConsumer)
    assert isinstance(consumer._thread, FetchingClient)
    uses = {
        "_acked": "acks that a compiled stream wrote by itself are cleared there",
        "_acked_index": "the same",
        "_committed_offset": "what was committed when an assignment began",
        "_read_offset": "the position of stock topics",
        "_unacked_messages": "wait_empty must not wait for batches there",
        "_n_acked": "commits each broker_commit_every records",
        "_commit_every": "the same",
        "callback": "delivers to the conductor",
        "can_resume_flow": "the fetch loop waits for it",
        "suspend_flow": "ends the delivery of single messages",
        "flow_active": "no fetch while it is False",
        "consumer_stopped_errors": "end the fetch loop",
        "_stopped": "ends the fetch loop",
    }
    for name, use in uses.items():
        assert hasattr(consumer, name), f"Consumer.{name} is gone: {use}"
    assert hasattr(app.topics, "_tp_index"), "whether a partition is fed in batches is looked up there"
    assert {"stream_wait_empty", "broker_max_poll_records", "broker_consumer"} <= set(dir(app.conf))


def test_the_client_takes_a_loop_and_what_runs_it() -> None:
    assert {"thread_loop", "Worker"} <= set(inspect.signature(ServiceThread.__init__).parameters)


def test_fetched_records_are_aiokafka_s_field_by_field() -> None:
    fetch_structs()
    assert fetcher.PartitionRecords is FetchedRecords
    assert FetchedRecord.__struct_fields__ == tuple(field.name for field in fields(ConsumerRecord))
    assert "PartitionRecords(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "self._consumer_record(tp, record)" in inspect.getsource(PartitionRecords._unpack_records)
    assert "for msg in self._partition_records" in inspect.getsource(fetcher.FetchResult.getall)


def test_a_client_that_decodes_its_records_still_does() -> None:
    place, data = TopicPartition("posts", 0), DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    data.append(0, 1000, b"1", b"two", [])
    kafka_records = MemoryRecords(bytes(data.build()))
    records = FetchedRecords(
        place, kafka_records, None, 0, int, bytes.decode, True, fetcher.READ_UNCOMMITTED
    )
    assert [(record.key, record.value) for record in records] == [(1, "two")]


def test_a_message_knows_whether_an_agent_got_it() -> None:
    """Stream sets `tracked`; without it a drain would not know which batches were started."""
    message = ConsumerMessage("posts", 0, 7, 0.0, 0, None, None, None, None)
    assert message.tracked is False
    assert message.generation_id is None
    parameters = inspect.signature(ConsumerMessage).parameters
    assert {"topic", "partition", "offset", "tp", "generation_id"} <= set(parameters)


def test_an_ack_of_a_message_ends_in_on_final_ack() -> None:
    asked: list[object] = []

    class Asking(ConsumerMessage):
        def on_final_ack(self, consumer: object) -> bool:
            asked.append(consumer)
            return False

    message = Asking("posts", 0, 7, 0.0, 0, None, None, None, None)
    message.incref()
    assert message.ack("the consumer") is False  # type: ignore[arg-type]
    assert asked == ["the consumer"]


def test_a_schema_compiles_to_a_decoder_of_messages() -> None:
    assert "app" in inspect.signature(Schema.compile).parameters
    assert inspect.signature(BatchSchema().compile(App("a"))).parameters.keys() >= {"message", "propagate"}


async def test_aiokafka_makes_a_new_assignment_object_at_each_assignment() -> None:
    """By that the fetching client tells records of an earlier assignment from those of this one."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    assert isinstance(consumer._subscription, SubscriptionState)
    assert "assignment" in dir(Subscription)
    tp = aiokafka.TopicPartition("posts", 0)
    seen = []
    for _ in range(2):
        consumer._subscription.assign_from_user([tp])
        seen.append(consumer._subscription.subscription.assignment)
        consumer._subscription.unsubscribe()
    assert seen[0] is not seen[1]
    await consumer.stop()


async def test_fetch_context_counts_as_a_sign_of_life() -> None:
    """aiokafka leaves the group after max_poll_interval by this clock."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    state = consumer._subscription
    state._last_fetch_ended -= 1000
    assert state.fetcher_idle_time >= 1000
    with state.fetch_context():
        pass
    assert state.fetcher_idle_time < 1000
    await consumer.stop()


def test_records_have_what_a_batch_promises() -> None:
    wanted = {"topic", "partition", "offset", "timestamp", "key", "value", "headers"}
    assert wanted <= set(ConsumerRecord.__dataclass_fields__)


async def test_a_record_batch_says_when_it_is_full_but_always_takes_its_first_record() -> None:
    """BatchProducer sends a message larger than a batch alone."""
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", max_batch_size=1000)
    batch = producer.create_batch()
    assert batch.append(timestamp=None, key=b"k", value=b"x" * 5000, headers=[]) is not None
    assert batch.append(timestamp=None, key=b"k", value=b"x", headers=[]) is None
    await asyncio.wait_for(producer.stop(), 5)
