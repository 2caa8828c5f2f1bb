"""The batch transport on a real Kafka, and in part on the embedded broker.

What counts is what a group's members deliver and commit between them: nothing lost, nothing
committed that is not done, nothing twice when a member leaves in peace.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import faust
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamproc.broker.link import Link
from streamproc.broker.topics import admin_client
from streamproc.errors import SettingsError
from streamproc.producing import BatchProducer, Outgoing
from streamproc.transport import TP, Batch, BatchSchema, Fetching, install
from tests.apps.batch_app import make_app
from tests.services.kafka import Kafka

ROOT = Path(__file__).parents[1]


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.01)


async def fill(bootstrap: str, topic: str, values: range, keys: int = 1_000_000) -> None:
    """Send numbers, each with a key."""
    async with BatchProducer(Link(bootstrap)) as producer:
        await producer.send([Outgoing(topic, b"post:%d" % (n % keys), b"%d" % n) for n in values])


async def committed(bootstrap: str, group: str, topic: str, partitions: int) -> list[int | None]:
    """What the broker has for the group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(tps)
        return [await consumer.committed(tp) for tp in tps]
    finally:
        await consumer.stop()


async def ends(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Where the partitions end."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        found = await consumer.end_offsets(tps)
        return [found[tp] for tp in tps]
    finally:
        await consumer.stop()


class Rig:
    """An app in the test's loop whose agent collects batches."""

    def __init__(self, app: faust.App, topic: str) -> None:
        self.app = app
        self.batches: list[Batch] = []
        self.on_batch: Callable[[Batch], None] = lambda batch: None

        @app.agent(app.topic(topic, schema=BatchSchema()))
        async def collect(stream: Any) -> None:
            async for event in stream.noack().events():
                self.batches.append(event.value)
                self.on_batch(event.value)

    @property
    def values(self) -> list[int]:
        return [int(record.value or b"-1") for batch in self.batches for record in batch]

    async def fetched(self, records: int) -> None:
        await until(lambda: sum(map(len, self.batches)) >= records)


@asynccontextmanager
async def started(app: faust.App) -> AsyncIterator[faust.App]:
    """The app, running, and stopped in peace afterwards."""
    app.loop = asyncio.get_running_loop()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@pytest.fixture
def name() -> str:
    """A name for topics and groups that no other test has."""
    return f"t{uuid.uuid4().hex[:12]}"


class Broker(NamedTuple):
    """A broker with topics `name` and `name-plain`, and what an app has to be told for it."""

    address: str
    partitions: int
    settings: dict[str, Any]


@pytest.fixture(params=["kafka", "embedded"])
def broker(request: pytest.FixtureRequest, name: str) -> Broker:
    """The real one and the embedded one."""
    if request.param == "kafka":
        kafka = request.getfixturevalue("kafka")
        for topic in (name, f"{name}-plain"):
            kafka.create_topic(topic, 3)
        return Broker(kafka.bootstrap, 3, {})
    embedded = request.getfixturevalue("mock_broker")
    embedded.create_topic(f"{name}-plain")
    return Broker(embedded.address, embedded.create_topic(name), {"broker_session_timeout": 6.0})


async def test_every_post_comes_once_and_everything_is_committed(
    broker: Broker, name: str, tmp_path: Path
) -> None:
    bootstrap, partitions, settings = broker
    await fill(bootstrap, name, range(1000))
    rig = Rig(make_app(bootstrap, name, tmp_path, Fetching(), **settings), name)
    rig.on_batch = Batch.done_all
    async with started(rig.app):
        await rig.fetched(1000)
        assert sorted(rig.values) == list(range(1000))
        assert len(rig.batches) < 100
        end = await ends(bootstrap, name, partitions)
        await until(lambda: [p.committed for _, p in sorted(rig.app.consumer.progress().items())] == end)
        progress = [p for _, p in sorted(rig.app.consumer.progress().items())]
        assert [(p.position, p.end) for p in progress] == [(n, n) for n in end]
        assert rig.app.consumer.in_flight == 0
    assert await committed(bootstrap, name, name, partitions) == end


async def test_no_commit_passes_an_unfinished_post(kafka: Kafka, name: str, tmp_path: Path) -> None:
    bootstrap, partitions = kafka.bootstrap, 3
    await kafka.create(name, partitions)
    await fill(bootstrap, name, range(400))
    rig = Rig(make_app(bootstrap, name, tmp_path, Fetching(drain_timeout=0.2)), name)
    async with started(rig.app):
        await rig.fetched(400)
        work = [(batch, i) for batch in rig.batches for i in range(len(batch))]
        random.Random(3).shuffle(work)
        left = work[300:]
        for batch, i in work[:300]:
            batch.done(i)
        await rig.app.consumer.commit()
        first_open: dict[int, int] = {}
        for batch, i in left:
            partition, offset = batch[i].partition, batch[i].offset
            first_open[partition] = min(offset, first_open.get(partition, offset))
    offsets = await committed(bootstrap, name, name, partitions)
    for partition, offset in first_open.items():
        assert (offsets[partition] or 0) == offset
    # The next member reads what was left, and what came behind it.
    again = Rig(make_app(bootstrap, name, tmp_path, Fetching()), name)
    again.on_batch = Batch.done_all
    async with started(again.app):
        await until(lambda: {int(batch[i].value or b"") for batch, i in left} <= set(again.values))
    assert await committed(bootstrap, name, name, partitions) == await ends(bootstrap, name, partitions)


async def test_an_agent_that_steps_on_or_raises_commits_nothing(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(50))
    app = make_app(kafka.bootstrap, name, tmp_path, Fetching(drain_timeout=0.1))
    seen: list[Batch] = []

    @app.agent(app.topic(name, schema=BatchSchema()))
    async def careless(stream: Any) -> None:
        async for batch in stream:  # without noack(): Faust acks what the agent steps over
            seen.append(batch)
            if len(seen) == 2:
                raise ValueError("a fault in the agent")

    async with started(app):
        await until(lambda: seen)
        await fill(kafka.bootstrap, name, range(50, 60))
        await until(lambda: len(seen) >= 2)
        await fill(kafka.bootstrap, name, range(60, 70))
        await until(lambda: len(seen) >= 3)
        await app.consumer.commit()
    assert await committed(kafka.bootstrap, name, name, 1) == [None]


async def test_a_commit_that_failed_is_made_again(
    kafka: Kafka, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(20))
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(), broker_commit_interval=3600), name)
    rig.on_batch = Batch.done_all
    refused: list[Any] = []

    async def refuse(offsets: Any) -> bool:
        refused.append(offsets)
        return False

    async with started(rig.app):
        await rig.fetched(20)
        with monkeypatch.context() as broken:
            broken.setattr(rig.app.consumer, "_commit", refuse)
            await rig.app.consumer.commit()
        assert refused == [{TP(name, 0): 20}]
        assert rig.app.consumer.progress()[TP(name, 0)].committed is None
        await rig.app.consumer.commit()
        assert rig.app.consumer.progress()[TP(name, 0)].committed == 20
        assert await committed(kafka.bootstrap, name, name, 1) == [20]


async def test_a_commit_covers_what_was_finished_while_another_was_under_way(
    kafka: Kafka, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(20))
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(), broker_commit_interval=3600), name)
    async with started(rig.app):
        await rig.fetched(20)
        (batch,) = rig.batches
        for index in range(10):
            batch.done(index)
        consumer = rig.app.consumer
        go_on, commit, asked = asyncio.Event(), consumer._commit, []

        async def slow(offsets: Any) -> Any:
            asked.append(offsets[TP(name, 0)])
            await go_on.wait()
            return await commit(offsets)

        monkeypatch.setattr(consumer, "_commit", slow)
        timer = asyncio.create_task(consumer.commit())
        await until(lambda: asked == [10])
        batch.done_all()
        last = asyncio.create_task(consumer.wait_empty())
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(timer, last)
        assert consumer.progress()[TP(name, 0)].committed == 20


async def test_posts_in_flight_are_bounded(kafka: Kafka, name: str, tmp_path: Path) -> None:
    await kafka.create(name, 2)
    await fill(kafka.bootstrap, name, range(1000))
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(max_in_flight=250)), name)
    most = 0
    async with started(rig.app):
        while (await asyncio.sleep(0)) or sum(map(len, rig.batches)) < 1000:
            await until(lambda: rig.app.consumer.in_flight > 150 or sum(map(len, rig.batches)) == 1000)
            most = max(most, rig.app.consumer.in_flight)
            for batch in rig.batches:
                batch.done_all()
    assert 150 < most <= 250
    assert sorted(rig.values) == list(range(1000))


async def test_a_batch_that_nobody_ends_is_told_once_far_more_posts_have_overtaken_it(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(1000))
    app = make_app(kafka.bootstrap, name, tmp_path, Fetching(max_in_flight=100))
    rig = Rig(app, name)
    told: list[tuple[int, float]] = []

    def end_all_but_the_first(batch: Batch) -> None:
        if batch is not rig.batches[0]:
            batch.done_all()
        told.append((app.consumer.finished_total, app.consumer.left_behind_s))

    rig.on_batch = end_all_but_the_first
    async with started(app):
        await rig.fetched(1000)
        assert all((behind > 0) == (finished >= 200) for finished, behind in told)
        assert told[-1][1] > 0
        rig.batches[0].done_all()
        assert app.consumer.left_behind_s == 0


async def test_a_partition_with_much_to_read_does_not_starve_another(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 2)
    many, few = 8_000, 20
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        for partition, numbers in ((0, range(many)), (1, range(many, many + few))):
            await producer.send(
                [Outgoing(name, b"key", b"%-1000d" % n, partition=partition) for n in numbers]
            )
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(2000)), name)
    rig.on_batch = Batch.done_all
    async with started(rig.app):
        await rig.fetched(many + few)
    last_of_few = max(rig.values.index(n) for n in range(many, many + few))
    assert last_of_few < many / 2, "a fetch brings a megabyte of each partition, and each has its turn"


async def test_a_slow_handler_keeps_its_partitions(kafka: Kafka, name: str, tmp_path: Path) -> None:
    """No fetch for longer than max_poll_interval, while posts finish one by one."""
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(40))
    settings = {"broker_max_poll_interval": 1.5, "broker_max_poll_records": 10}
    revoked: list[frozenset[TP]] = []
    fetching = Fetching(max_in_flight=10, on_revoked=revoked.append)
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, fetching, **settings), name)
    async with started(rig.app):
        await until(lambda: rig.batches)
        began = time.monotonic()
        for i in range(len(rig.batches[0])):
            await until(lambda i=i: time.monotonic() > began + 0.45 * i)
            rig.batches[0].done(i)
        rig.on_batch = Batch.done_all
        for batch in rig.batches:
            batch.done_all()
        await rig.fetched(40)
        assert revoked == []
        assert sorted(rig.values) == list(range(40))


async def test_posts_that_wait_on_purpose_keep_the_partitions_and_go_on(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 1)
    app = make_app(kafka.bootstrap, name, tmp_path, Fetching(10), broker_max_poll_interval=1.5)
    rig = Rig(app, name)
    await fill(kafka.bootstrap, name, range(40))
    app.consumer.waits_for("a test")
    async with started(app):
        await until(lambda: app.consumer.in_flight == 10)
        rebalances, began = app.rebalancing_count, time.monotonic()
        await until(lambda: time.monotonic() > began + 2 * 1.5)  # Kafka's clock: no fetch for so long
        assert len(rig.values) == 10, "no more than may be in flight"
        app.consumer.waits_for(None)
        rig.on_batch = Batch.done_all
        for batch in rig.batches:
            batch.done_all()
        await rig.fetched(40)
        assert app.rebalancing_count == rebalances


async def test_a_topic_without_batches_goes_the_usual_way(
    broker: Broker, name: str, tmp_path: Path
) -> None:
    bootstrap, partitions, settings = broker
    plain = f"{name}-plain"
    await fill(bootstrap, name, range(200))
    await fill(bootstrap, plain, range(100))
    app = make_app(bootstrap, name, tmp_path, Fetching(), **settings)
    rig = Rig(app, name)
    rig.on_batch = Batch.done_all
    singles: list[int] = []

    @app.agent(app.topic(plain, value_type=bytes, value_serializer="raw"))
    async def one_by_one(stream: Any) -> None:
        async for value in stream:
            singles.append(int(value))  # noqa: PERF401  (it never ends)

    async with started(app):
        await rig.fetched(200)
        await until(lambda: len(singles) >= 100)
        await fill(bootstrap, plain, range(100, 120))
        await until(lambda: len(singles) >= 120)
    assert sorted(singles) == list(range(120))
    assert sorted(rig.values) == list(range(200))
    assert await committed(bootstrap, name, plain, partitions) == await ends(bootstrap, plain, partitions)
    assert await committed(bootstrap, name, name, partitions) == await ends(bootstrap, name, partitions)


async def test_records_that_nobody_could_read_come_as_they_are(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    """Empty, broken, without key, with headers: the transport decodes nothing."""
    await kafka.create(name, 1)
    poison = [
        Outgoing(name, b"k", b"\xff\xfe{"),
        Outgoing(name, b"k", None),
        Outgoing(name, None, b""),
        Outgoing(name, b"", b"\x00" * 100_000, [("h", b"\xff"), ("h", b"2")]),
    ]
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        for message in poison:
            await producer.send([message])
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching()), name)
    rig.on_batch = Batch.done_all
    async with started(rig.app):
        await rig.fetched(4)
        records = [record for batch in rig.batches for record in batch]
    assert [(r.key, r.value, list(r.headers)) for r in records] == [
        (m.key, m.value, list(m.headers)) for m in poison
    ]
    assert await committed(kafka.bootstrap, name, name, 1) == [4]


async def test_restarting_the_fetcher_loses_nothing(kafka: Kafka, name: str, tmp_path: Path) -> None:
    """Whatever a cancelled fetcher had in hand is read again, also with nothing committed yet."""
    await kafka.create(name, 2)
    await fill(kafka.bootstrap, name, range(3000))
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(max_in_flight=10_000)), name)
    async with started(rig.app):
        for restart in range(12):
            await rig.fetched(restart * 200 + 1)
            await rig.app._stop_fetcher()
            await rig.app._fetcher.start()
        await until(lambda: len({*current(rig)}) == 3000)
        assert sorted(current(rig)) == list(range(3000))
        for batch in rig.batches:
            batch.done_all()
    assert await committed(kafka.bootstrap, name, name, 2) == await ends(kafka.bootstrap, name, 2)


async def test_a_fetch_that_nobody_took_is_read_again(
    kafka: Kafka, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fetcher stops between the fetch and the delivery, while nothing is committed yet."""
    await kafka.create(name, 1)
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(drain_timeout=0.1)), name)

    async def deliver_nothing(*_: object) -> None:
        await asyncio.Event().wait()

    async with started(rig.app):
        consumer = rig.app.consumer
        await until(lambda: consumer.progress() and rig.app._fetcher.started)
        with monkeypatch.context() as patch:
            patch.setattr(consumer, "_deliver_all", deliver_nothing)
            await fill(kafka.bootstrap, name, range(50))
            await until(lambda: consumer._thread._untaken)
            await rig.app._stop_fetcher()
        assert rig.batches == []
        await rig.app._fetcher.start()
        await until(lambda: sorted(current(rig)) == list(range(50)))


def current(rig: Rig) -> list[int]:
    """Values of the batches that were not taken back."""
    return [int(record.value or b"") for batch in rig.batches if not batch.revoked for record in batch]


class Worker:
    """A copier process."""

    def __init__(self, bootstrap: str, group: str, folder: Path, who: str, pause: float = 0.0) -> None:
        options = {
            **{"bootstrap": bootstrap, "group": group, "folder": str(folder), "name": who},
            **{"source": group, "target": f"{group}-copies", "pause": pause},
        }
        self._log = (folder / f"{who}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.apps.copier", json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    async def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; returns the exit code."""
        self._process.send_signal(how)
        return await asyncio.to_thread(self._process.wait, 30)

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


@asynccontextmanager
async def copies(bootstrap: str, topic: str, partitions: int) -> AsyncIterator[list[str]]:
    """What arrives in a topic, as it arrives."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    tps = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    arrived: list[str] = []

    async def follow() -> None:
        while True:
            for chunk in (await consumer.getmany(timeout_ms=200)).values():
                arrived.extend(record.value.decode() for record in chunk)

    task = asyncio.create_task(follow())
    try:
        yield arrived
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


async def test_killed_workers_lose_no_post(kafka: Kafka, name: str, tmp_path: Path) -> None:
    await kafka.create(name, 2)
    await kafka.create(f"{name}-copies", 2)
    await fill(kafka.bootstrap, name, range(2000))
    async with copies(kafka.bootstrap, f"{name}-copies", 2) as arrived:
        for life, enough in enumerate((300, 1000)):
            async with Worker(kafka.bootstrap, name, tmp_path, f"victim{life}", pause=0.01) as victim:
                await until(lambda enough=enough: len(arrived) >= enough)
                assert await victim.end(signal.SIGKILL) == -signal.SIGKILL
            assert len(arrived) < 2000
        async with Worker(kafka.bootstrap, name, tmp_path, "successor") as successor:
            await until(lambda: len({value.split()[0] for value in arrived}) == 2000)
            assert await successor.end(signal.SIGTERM) == 0
    assert await committed(kafka.bootstrap, name, name, 2) == await ends(kafka.bootstrap, name, 2)


async def test_workers_that_come_and_go_in_peace_lose_and_repeat_nothing(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 4)
    await kafka.create(f"{name}-copies", 1)
    await fill(kafka.bootstrap, name, range(3000))
    async with (
        copies(kafka.bootstrap, f"{name}-copies", 1) as arrived,
        Worker(kafka.bootstrap, name, tmp_path, "first", pause=0.15) as first,
    ):
        await until(lambda: len(arrived) >= 100)
        async with Worker(kafka.bootstrap, name, tmp_path, "second", pause=0.15) as second:
            await until(lambda: any(value.endswith("second") for value in arrived))
            assert await first.end(signal.SIGTERM) == 0
            assert len(set(_numbers(arrived))) < 3000
            await until(lambda: len(set(_numbers(arrived))) == 3000)
            assert await second.end(signal.SIGTERM) == 0
    assert await committed(kafka.bootstrap, name, name, 4) == await ends(kafka.bootstrap, name, 4)
    assert len(_numbers(arrived)) == 3000


def _numbers(arrived: Sequence[str]) -> list[int]:
    return [int(value.split()[0]) for value in arrived]


async def test_batches_that_did_not_finish_in_time_are_void_after_a_rebalance(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 4)
    await kafka.create(f"{name}-copies", 1)
    await fill(kafka.bootstrap, name, range(200))
    told: list[frozenset[TP]] = []
    fetching = Fetching(drain_timeout=0.2, on_revoked=told.append)
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, fetching), name)
    async with started(rig.app), copies(kafka.bootstrap, f"{name}-copies", 1) as arrived:
        await rig.fetched(200)
        void = list(rig.batches)
        rig.on_batch = Batch.done_all
        async with Worker(kafka.bootstrap, name, tmp_path, "other") as other:
            await until(lambda: told)
            assert frozenset().union(*told) == {TP(name, p) for p in range(4)}
            assert all(batch.revoked for batch in void)
            for batch in void:
                batch.done_all()  # too late: it must not count for those who have the posts now
            everything = set(range(200))
            await until(lambda: {int(v.split()[0]) for v in arrived} | set(current(rig)) == everything)
            assert await other.end(signal.SIGTERM) == 0
        assert rig.app.consumer.in_flight == 0
    assert await committed(kafka.bootstrap, name, name, 4) == await ends(kafka.bootstrap, name, 4)


async def test_a_seek_makes_earlier_batches_void_and_reads_again(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    await kafka.create(name, 1)
    await fill(kafka.bootstrap, name, range(30))
    told: list[frozenset[TP]] = []
    rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(on_revoked=told.append)), name)
    async with started(rig.app):
        await rig.fetched(30)
        rig.on_batch = Batch.done_all
        await rig.app.consumer.seek(TP(name, 0), 10)
        assert told == [{TP(name, 0)}]
        await until(lambda: sorted(current(rig)) == list(range(10, 30)))


def test_an_app_that_would_not_drain_is_refused(tmp_path: Path) -> None:
    app = faust.App(
        "impatient", broker="kafka://127.0.0.1:1", datadir=str(tmp_path), stream_wait_empty=False
    )
    with pytest.raises(SettingsError, match="stream_wait_empty"):
        install(app, Fetching())


async def test_who_is_told_to_end_while_it_joins_leaves_the_group_at_once(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    """The other member drains meanwhile: until it has, nobody's join is answered."""
    await kafka.create(name, 1)
    await kafka.create(f"{name}-copies", 1)
    await fill(kafka.bootstrap, name, range(50))
    async with (
        copies(kafka.bootstrap, f"{name}-copies", 1) as arrived,
        Worker(kafka.bootstrap, name, tmp_path, "draining", pause=2.0),
    ):
        await until(lambda: arrived)
        rig = Rig(make_app(kafka.bootstrap, name, tmp_path, Fetching(), broker_session_timeout=30.0), name)
        starting = asyncio.create_task(rig.app.start())
        client = rig.app.consumer._thread
        await until(lambda: client.connected and client._ensure_consumer()._coordinator)
        coordinator = client._ensure_consumer()._coordinator
        await until(lambda: coordinator._performed_join_prepare and coordinator.member_id)
        assert len(members(kafka, name)) == 2
        await rig.app.stop()
        assert coordinator._performed_join_prepare, "the join was answered before the app was told to end"
        assert len(members(kafka, name)) == 1
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


def members(kafka: Kafka, group: str) -> list[Any]:
    with admin_client(Link(kafka.bootstrap)) as client:
        found: list[Any] = client.describe_groups([group])[group]["members"]
        return found
