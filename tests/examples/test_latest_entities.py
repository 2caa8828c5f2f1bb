"""`examples/latest_entities.py` on real Kafka: repeated and mixed taggings, deletes, compacted topics."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from streamproc.broker.link import Link
from streamproc.entities import Entity, PluginInfo, Revision, TaggedPost
from streamproc.producing import BatchProducer, Outgoing
from tests.deployment import Deployment, body
from tests.services.kafka import Kafka

EXAMPLE = Path(__file__).parents[2] / "examples" / "latest_entities.py"


def tagged(number: int, revision: Revision, op: str) -> TaggedPost:
    key = f"test:{number}:capitals"
    return TaggedPost(
        op=op,
        post_id=str(number),
        platform="test",
        entities=() if op == "delete" else (Entity(f"at {revision.offset}", "PER", 0, 1, 1.0),),
        plugin=PluginInfo("capitals", "1"),
        revision=revision,
        entity_key=key,
        idempotency_key=f"{key}:{revision.partition}-{revision.offset}:1",
    )


async def send(kafka: Kafka, messages: Sequence[Outgoing]) -> None:
    async with BatchProducer(Link(kafka.bootstrap)) as producer:
        await producer.send(messages)


def shown(kafka: Kafka, topic: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--broker", kafka.bootstrap, "--topic", topic],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({row["entity_key"] for row in rows}) == len(rows)
    return {row["post_id"]: row for row in rows}


def test_the_highest_revision_stands_however_taggings_are_repeated_and_mixed(kafka: Kafka) -> None:
    random = Random(3)
    posts = []
    for number in range(12):
        ops = ["create", *["update"] * random.randrange(3), *["delete"] * (number % 3 == 0)]
        posts += [tagged(number, Revision(number % 4, 10 * number + i), op) for i, op in enumerate(ops)]
    expected: dict[str, TaggedPost] = {}
    for post in sorted(posts, key=lambda post: post.revision):
        expected[post.post_id] = post
    arriving = posts * 2
    random.shuffle(arriving)
    topic = kafka.create_topic(f"mixed-{uuid4().hex[:8]}", 3)
    asyncio.run(
        send(kafka, [Outgoing(topic, None, p.to_json(), partition=random.randrange(3)) for p in arriving])
    )
    found = shown(kafka, topic)
    assert {name: row["revision"]["offset"] for name, row in found.items()} == {
        name: post.revision.offset for name, post in expected.items() if post.op != "delete"
    }
    assert all(row["entities"][0]["text"] == f"at {row['revision']['offset']}" for row in found.values())


def test_a_null_alone_removes_its_row_and_one_behind_an_old_delete_does_not(kafka: Kafka) -> None:
    topic = kafka.create_topic(f"nulls-{uuid4().hex[:8]}")

    def keyed(post: TaggedPost) -> Outgoing:
        return Outgoing(topic, post.entity_key.encode(), post.to_json())

    null = Outgoing(topic, b"test:1:capitals", None)
    again = [keyed(tagged(2, Revision(0, 5), "delete")), Outgoing(topic, b"test:2:capitals", None)]
    newer = keyed(tagged(2, Revision(0, 9), "create"))
    asyncio.run(send(kafka, [keyed(tagged(1, Revision(0, 1), "create")), null, *again, newer, *again]))
    assert {name: row["revision"]["offset"] for name, row in shown(kafka, topic).items()} == {"2": 9}


@pytest.mark.parametrize("value", [body(1), b"no post", b"[]", b"\xff\xfe"])
def test_a_topic_of_other_messages_is_named_in_one_line(kafka: Kafka, value: bytes) -> None:
    topic = kafka.create_topic(f"others-{uuid4().hex[:8]}")
    asyncio.run(send(kafka, [Outgoing(topic, b"test:1", value)]))
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--broker", kafka.bootstrap, "--topic", topic],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: topic {topic} holds no tagged posts")


async def test_what_a_worker_publishes_becomes_rows(deploy: Callable[..., Deployment]) -> None:
    stream = deploy()
    await stream.send({f"test:{n}": body(n) for n in range(6)})
    await stream.send(
        {"test:1": body(1, "Grace left"), "test:2": b'{"platform":"test","id":"2","op":"delete"}'}
    )
    stream.start_worker()
    await stream.read("entities", lambda found: len(found) == 8)
    found = await asyncio.to_thread(shown, stream.kafka, stream.settings["topics.entities"])
    assert set(found) == {"0", "1", "3", "4", "5"}
    assert [entity["text"] for entity in found["1"]["entities"]] == ["Grace"]
