"""Partitions of `posts` are doubled while a worker reads: nothing is lost, and revisions tell the order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from streamproc.broker.connecting import partitions_of_topics
from streamproc.broker.link import Link
from streamproc.broker.topics import admin_client
from streamproc.entities import TaggedPost
from tests.deployment import Deployment, body

POSTS = 60


def add_partitions(stream: Deployment, count: int) -> None:
    with admin_client(Link(stream.kafka.bootstrap)) as client:
        client.create_partitions({stream.settings["topics.posts"]: count})


def by_post(records: list[Any]) -> dict[str, list[TaggedPost]]:
    """What was said of each post, without repetitions."""
    found: dict[str, dict[str, TaggedPost]] = {}
    for record in records:
        tagged = TaggedPost.from_json(record.value)
        found.setdefault(tagged.post_id, {})[tagged.idempotency_key] = tagged
    return {post: list(said.values()) for post, said in found.items()}


async def test_what_comes_into_new_partitions_is_tagged_and_the_newest_has_the_highest_revision(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUMER_METADATA_MAX_AGE_MS", "500")
    stream = deploy(**{"topics.partitions": "2"})
    stream.start_worker()
    await stream.send({f"test:{n}": body(n, "Ada") for n in range(POSTS)})
    await stream.read("entities", lambda found: len(by_post(found)) == POSTS)

    await asyncio.to_thread(add_partitions, stream, 4)
    link, topic = Link(stream.kafka.bootstrap), stream.settings["topics.posts"]
    async with asyncio.timeout(30):
        while (await partitions_of_topics(link))[topic] < 4:
            pass  # the broker says that they are there before it knows it itself
    await stream.send({f"test:{n}": body(n, "Grace") for n in range(2 * POSTS)})
    records = await stream.read(
        "entities", lambda found: sum(map(len, by_post(found).values())) == 3 * POSTS
    )

    said = by_post(records)
    assert {len(said[str(n)]) for n in range(POSTS)} == {2}
    newest = {post: max(tagged, key=lambda t: t.revision) for post, tagged in said.items()}
    assert {t.entities[0].text for t in newest.values()} == {"Grace"}
    assert {t.revision.partition for t in newest.values()} == {0, 1, 2, 3}
    posts = await stream.read("posts", lambda found: len(found) == 3 * POSTS)
    moved = {json.loads(r.value)["id"] for r in posts if r.partition > 1 and int(r.key[5:]) < POSTS}
    assert moved, "no key moved: the test shows nothing"
