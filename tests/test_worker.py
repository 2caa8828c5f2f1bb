"""Workers as processes on real Kafka: started by the command, ended by signals and kills."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from streamproc.broker.link import Link
from streamproc.entities import TaggedPost
from streamproc.errors import BrokerError
from streamproc.lag import probe
from streamproc.producing import BatchProducer, Outgoing
from tests.deployment import Deployment, body, ids
from tests.services.kafka import Kafka
from tests.services.process import require


async def test_two_workers_share_the_partitions_and_tag_every_post_once(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy()
    for _ in range(2):
        stream.start_worker()
    await stream.send({f"test:{i}": body(i) for i in range(1000)})
    await stream.read("entities", lambda found: len(found) >= 1000)
    assert await asyncio.to_thread(_partitions_given_out, stream, 2) == [2, 2]
    await stream.send({f"test:{i}": body(i) for i in range(1000, 2000)})
    found = await stream.read("entities", lambda found: len(ids(found)) == 2000)
    assert len(found) == 2000
    assert {record.key.decode() for record in found} == {f"test:{i}" for i in range(2000)}
    await stream.until_logged(rf"partitions of {stream.settings['topics.posts']}: \d, \d\n", 2)
    for worker in stream.workers:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
    rows = await asyncio.to_thread(
        probe, Link(stream.kafka.bootstrap), stream.name, stream.settings["topics.posts"]
    )
    assert [row.lag for row in rows] == [0, 0, 0, 0]
    printed = json.loads((await asyncio.to_thread(stream.run, "lag", "--json")).stdout)
    assert printed["lag"] == 0
    assert sum(row["committed"] for row in printed["partitions"]) == 2000


def _partitions_given_out(stream: Deployment, members: int) -> list[int]:
    """Partitions of each member, once all are given out to so many."""
    from streamproc.broker.topics import admin_client

    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        # A fresh broker has no coordinator until its first group asks for one.
        with suppress(BrokerError), admin_client(Link(stream.kafka.bootstrap)) as client:
            while time.monotonic() < deadline:
                found = client.describe_groups([stream.name])[stream.name]["members"]
                assigned = [
                    (member["member_assignment"] or {}).get("assigned_partitions", []) for member in found
                ]
                counts = [sum(len(topic["partitions"]) for topic in topics) for topics in assigned]
                if len(counts) == members and sum(counts) == stream.partitions and min(counts) > 0:
                    return sorted(counts)
                time.sleep(0.1)
    return []


BAD = {
    "not-json": b"{not json",
    "utf8": b'{"platform": "test", "id": "u", "text": "\xff"}',
    "types": b'{"platform": "test", "id": 5, "text": "x"}',
    "missing": b'{"platform": "test"}',
    "newer": b'{"schema_version": 99}',
    "nul": b'{"platform": "test", "id": "n", "text": "a\\u0000"}',
    "huge": json.dumps({"platform": "test", "id": "h", "text": "x" * 1_000_000}).encode(),
    "null": None,
}


async def test_whatever_comes_in_ends_in_the_dead_letters_or_the_entities(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy()
    await stream.send({"test:0": body(0)} | BAD | {"test:1": body(1)})
    await stream.send(
        {
            "test:e": b'{"platform": "test", "id": "e", "text": ""}',
            "test:emoji": json.dumps({"platform": "test", "id": "emoji", "text": "😀" * 10_000}).encode(),
        }
    )
    await stream.send({"test:1": b'{"platform": "test", "id": "1", "op": "delete"}'})
    stream.start_worker()
    letters = await stream.read("deadletters", lambda found: len(found) >= len(BAD))
    reasons = {r.key.decode(): dict(r.headers)["__streamproc.errors.exception"].decode() for r in letters}
    assert reasons == {
        "not-json": "MalformedPost", "utf8": "MalformedPost", "types": "MalformedPost",
        "missing": "MalformedPost", "newer": "UnsupportedSchemaVersion", "nul": "MalformedPost",
        "huge": "TextTooLong", "null": "MalformedPost",
    }  # fmt: skip
    assert {r.key.decode(): r.value for r in letters} == {
        k: v if v is not None else None for k, v in BAD.items()
    }
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["__streamproc.errors.topic"].decode() == stream.settings["topics.posts"]
        assert headers["__streamproc.errors.stage"] == b"decode"
        assert headers["__streamproc.attempts"] == b"1"
    found = await stream.read("entities", lambda found: len(found) >= 5)
    by_id = [(v["post_id"], v["op"], v["skipped"]) for v in (json.loads(r.value) for r in found)]
    assert sorted(by_id) == sorted(
        [("0", "create", None), ("1", "create", None), ("1", "delete", None),
         ("e", "create", "empty text"), ("emoji", "create", None)]
    )  # fmt: skip


async def test_a_letter_too_large_for_its_topic_keeps_its_headers_and_the_worker_goes_on(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy(**{"topics.post_bytes": "4194304"})
    large = b'{"platform": "test", "text": "' + b"x" * 3_000_000 + b'"}'
    await stream.kafka.create(f"{stream.name}.small", 1, max_message_bytes=10_000)
    stream.settings["topics.deadletters"] = f"{stream.name}.small"
    await stream.send({"large": large, "test:1": body(1)})
    stream.start_worker()
    (letter,) = await stream.read("deadletters", bool)
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"large", b"")
    assert headers["__streamproc.errors.body.bytes"] == str(len(large)).encode()
    assert headers["__streamproc.errors.offset"].isdigit()
    assert ids(await stream.read("entities", bool)) == {"1"}


async def test_nothing_is_lost_over_five_kills_at_random_moments(deploy: Callable[..., Deployment]) -> None:
    total = 5000
    stream = deploy(**{"limits.fetch_posts": "100", "limits.in_flight": "400"})
    moments = random.Random(int(os.environ.get("STREAMPROC_SEED", "7")))
    bodies = {f"test:{i}": body(i) if i % 50 else b"{broken %d" % i for i in range(total)}
    sending = asyncio.create_task(_trickle(stream, bodies))
    for _ in range(5):
        worker = stream.start_worker()
        target = await _ended(stream) + moments.randrange(50, 500)
        while await _ended(stream) < target:
            assert worker.poll() is None, stream.logs()[-2000:]
        worker.kill()
        assert not sending.done(), "killed while posts were coming in"
        await asyncio.to_thread(worker.wait)
    stream.start_worker()
    await sending
    good = {str(i) for i in range(total) if i % 50}
    tagged = await stream.read("entities", lambda found: ids(found) >= good, seconds=120)
    letters = await stream.read("deadletters", lambda found: len({r.key for r in found}) == total // 50)
    assert ids(tagged) == good
    assert {r.key.decode() for r in letters} == {f"test:{i}" for i in range(0, total, 50)}
    keys = Counter(json.loads(r.value)["idempotency_key"] for r in tagged)
    assert len(keys) == len(good), "a redelivered post keeps its idempotency key"


async def _trickle(stream: Deployment, bodies: dict[str, bytes]) -> None:
    """Send the posts about as fast as they are tagged, so that a kill always meets some on their way."""
    items = list(bodies.items())
    async with BatchProducer(Link(stream.kafka.bootstrap)) as producer:
        for start in range(0, len(items), 100):
            while start - await _ended(stream) > 300:
                pass
            await producer.send(
                [
                    Outgoing(stream.settings["topics.posts"], k.encode(), v)
                    for k, v in items[start : start + 100]
                ]
            )


async def _ended(stream: Deployment) -> int:
    rows = await asyncio.to_thread(
        probe, Link(stream.kafka.bootstrap), "none", stream.settings["topics.entities"]
    )
    return sum(row.end for row in rows)


async def test_ingest_brings_a_file_into_the_stream_and_any_consumer_reads_what_comes_out(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    stream = deploy()
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join([body(1), b"no post", body(2), body(3)]))
    done = await asyncio.to_thread(stream.run, "ingest", "jsonl", str(file), check=False)
    assert done.returncode == 1
    assert "3 posts and 0 deletions delivered" in done.stdout
    assert "line 2: not JSON" in done.stderr
    stream.start_worker()
    await stream.read("entities", lambda found: len(found) == 3)
    kcat = shutil.which("kcat") or require("kcat", "not installed")
    read = await asyncio.to_thread(
        subprocess.run,
        [kcat, "-b", stream.kafka.bootstrap, "-t", stream.settings["topics.entities"], "-C", "-e", "-q"],
        capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    tagged = [TaggedPost.from_json(line) for line in read.stdout.splitlines()]
    assert {post.post_id for post in tagged} == {"1", "2", "3"}


async def test_a_compacted_topic_is_keyed_by_entity_key_and_a_delete_ends_in_a_null(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy(**{"topics.compacted": "true"})
    await stream.send({"test:1": body(1)})
    await stream.send({"test:1": b'{"platform": "test", "id": "1", "op": "delete"}'})
    stream.start_worker()
    found = await stream.read("entities", lambda found: len(found) == 3)
    assert [record.key for record in found] == [b"test:1:capitals"] * 3
    assert [record.value and json.loads(record.value)["op"] for record in found] == [
        "create",
        "delete",
        None,
    ]


async def test_a_tagged_post_too_large_for_its_topic_is_a_dead_letter_and_the_others_go_on(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy()
    await stream.kafka.create(f"{stream.name}.small", 1, max_message_bytes=4_000)
    stream.settings["topics.entities"] = f"{stream.name}.small"
    many_names = "Ada and " * 1_000
    await stream.send({"test:1": body(1), "test:2": body(2, many_names), "test:3": body(3)})
    stream.start_worker()
    (letter,) = await stream.read("deadletters", bool)
    assert dict(letter.headers)["__streamproc.errors.exception"] == b"OutputTooLarge"
    assert json.loads(letter.value)["id"] == "2"
    assert ids(await stream.read("entities", lambda found: len(found) == 2)) == {"1", "3"}


HANGING = """
import threading
from pathlib import Path
from streamproc.fusion.capitals import CapitalsModel, CapitalsPlugin


class HangingModel(CapitalsModel):
    def tag(self, batch):
        Path(__file__).with_suffix(".called").touch()
        threading.Event().wait()


class Hanging(CapitalsPlugin):
    def load(self, model_dir, device):
        return HangingModel(self.config)
"""


@pytest.fixture
def deploy_hanging(
    deploy: Callable[..., Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Deployment]:
    """Deploys a plugin that never returns and tells by a file that it was called; takes `drain_s`."""
    (tmp_path / "hanging.py").write_text(HANGING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda drain_s: deploy(
        **{
            "plugins.hanging.plugin": "hanging:Hanging",
            "plugins.hanging.isolation": "thread",
            "routes": '[{primary="hanging"}]',
            "limits.drain_s": drain_s,
        }
    )


async def test_a_plugin_that_never_returns_does_not_keep_a_worker_from_ending(
    deploy_hanging: Callable[[str], Deployment],
) -> None:
    stream = deploy_hanging("1")
    await stream.send({"test:1": body(1)})
    worker = stream.start_worker()
    assert await asyncio.to_thread(_partitions_given_out, stream, 1) == [4]
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0
    stream.settings["routes"] = '[{primary="capitals"}]'
    stream.start_worker()
    assert ids(await stream.read("entities", bool)) == {"1"}


async def test_who_asks_twice_for_the_end_does_not_wait_for_posts_under_way(
    deploy_hanging: Callable[[str], Deployment], tmp_path: Path
) -> None:
    stream = deploy_hanging("3600")
    await stream.send({f"test:{i}": body(i) for i in range(300)})
    worker = stream.start_worker()
    async with asyncio.timeout(60):
        while not (tmp_path / "hanging.called").exists():
            await asyncio.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(worker.wait, 2)
    worker.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(worker.wait, 30) == 128 + signal.SIGINT
    stream.settings["routes"] = '[{primary="capitals"}]'
    stream.start_worker()
    assert len(ids(await stream.read("entities", lambda found: len(found) >= 300, seconds=120))) == 300


async def test_a_plugin_that_crashes_on_one_post_in_fifty_costs_these_posts_and_nothing_else(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 200
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "fusion"))
    stream = deploy(
        **{
            "plugins.bad.plugin": "misbehaving:MisbehavingPlugin",
            "routes": '[{primary="bad", look="never"}]',
        }
    )
    bodies = {f"test:{i}": body(i) if i % 50 else body(i, "segfault") for i in range(total)}
    await stream.send(bodies)
    worker = stream.start_worker()
    letters = await stream.read("deadletters", lambda found: len(found) >= total // 50, seconds=120)
    tagged = await stream.read("entities", lambda found: len(found) >= total - total // 50, seconds=120)
    assert {r.key.decode() for r in letters} == {f"test:{i}" for i in range(0, total, 50)}
    assert ids(tagged) == {str(i) for i in range(total) if i % 50}
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["__streamproc.errors.exception"] == b"PluginFailed"
        assert headers["__streamproc.errors.message"] == b"plugin 'bad' ended with SIGSEGV on this post"
    await stream.send({"test:later": body(total)})
    await stream.read("entities", lambda found: str(total) in ids(found))
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0
    rows = await asyncio.to_thread(
        probe, Link(stream.kafka.bootstrap), stream.name, stream.settings["topics.posts"]
    )
    assert sum(row.lag or 0 for row in rows) == 0


async def test_a_group_membership_that_the_broker_refuses_ends_the_worker_with_the_reason(
    deploy: Callable[..., Deployment],
) -> None:
    stream = deploy(**{"kafka.session_timeout_s": "1"})
    worker = stream.start_worker()
    assert await asyncio.to_thread(worker.wait, 40) == 1
    assert "InvalidSessionTimeout" in stream.logs()


@pytest.mark.parametrize(
    ("change", "complaint", "code"),
    [
        ({"kafka.broker": "127.0.0.1:1"}, "no Kafka at 127.0.0.1:1", 1),
        ({"topics.posts": "no.such.topic"}, "run `streamproc topics create`", 1),
        ({"routes": '[{primary="capitls"}]'}, "did you mean capitals", 2),
        ({"kafka.brokr": "x"}, "did you mean broker", 2),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line(
    kafka: Kafka,
    tmp_path: Path,
    change: dict[str, str],
    complaint: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMPROC_KAFKA__START_TIMEOUT_S", "0")
    stream = Deployment(kafka, tmp_path, **change)
    ended = stream.run("worker", check=False)
    assert ended.returncode == code
    assert complaint in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
