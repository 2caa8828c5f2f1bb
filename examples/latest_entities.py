"""Reads `entities` and keeps what is true now: the newest tagging of each post, none of a deleted one.

    python examples/latest_entities.py --broker 127.0.0.1:9092             # up to what is there now
    python examples/latest_entities.py --broker 127.0.0.1:9092 --follow    # on and on, each change a line

Delivery is at least once and, across partitions, in any order: the same tagging may come twice, an older
one after a newer one. `Latest` is all that a consumer has to do about it; put its rows into your database.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError


class Latest:
    """The newest tagging of each `entity_key`.

    A deleted post keeps its row, with `op` = `delete`, so that an older tagging that comes late does not
    bring it back. Drop such rows when nothing older can come any more: after the retention of `posts`.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}
        self._deleted_last: set[str] = set()

    def take(self, key: bytes | None, value: bytes | None) -> dict[str, Any] | None:
        """Take a message of the topic; the row that it changed, if it changed one.

        Raises:
            ValueError: it is no tagged post.
        """
        if value is None:
            return self._forget((key or b"").decode())
        post = _tagged(value)
        name = post["entity_key"]
        if post["op"] == "delete":
            self._deleted_last.add(name)
        else:
            self._deleted_last.discard(name)
        known = self._rows.get(name)
        if known is not None and _revision(post) < _revision(known):
            return None
        if known is not None and post["idempotency_key"] == known["idempotency_key"]:
            return None
        self._rows[name] = post
        return post

    def _forget(self, name: str) -> dict[str, Any] | None:
        """A null, of a compacted topic: the post is gone.

        Behind its delete it says nothing new, and that may be an old one; alone, its delete was
        compacted away.
        """
        if name in self._deleted_last or name not in self._rows:
            return None
        return {**self._rows.pop(name), "op": "delete", "entities": []}

    def rows(self) -> list[dict[str, Any]]:
        """The posts that are there, as they were tagged last."""
        return [post for post in self._rows.values() if post["op"] != "delete"]


def _tagged(value: bytes) -> dict[str, Any]:
    post = json.loads(value)
    if not isinstance(post, dict) or not post.keys() >= {"entity_key", "op", "revision", "idempotency_key"}:
        raise ValueError("no tagged post")
    return post


def _revision(post: dict[str, Any]) -> tuple[int, int]:
    return post["revision"]["partition"], post["revision"]["offset"]


def read(broker: str, topic: str, *, follow: bool) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Keys and values of a topic from its start; up to its present end, or without end."""
    try:
        consumer = KafkaConsumer(bootstrap_servers=broker.split(","), enable_auto_commit=False)
    except KafkaError as error:
        raise SystemExit(f"error: cannot reach Kafka at {broker} ({error}): see --broker") from None
    try:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if not places:
            raise SystemExit(f"error: Kafka at {broker} has no topic {topic}: streamproc topics create")
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while follow or any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    yield record.key, record.value
    finally:
        consumer.close()


def main() -> None:
    """Print rows, one a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    broker = os.environ.get("STREAMPROC_KAFKA__BROKER", "127.0.0.1:9092")
    parser.add_argument("--broker", default=broker, help="default: %(default)s (STREAMPROC_KAFKA__BROKER)")
    parser.add_argument("--topic", default="entities")
    parser.add_argument("--follow", action="store_true")
    options = parser.parse_args()
    latest = Latest()
    for key, value in read(options.broker, options.topic, follow=options.follow):
        try:
            changed = latest.take(key, value)
        except ValueError:
            raise SystemExit(
                f"error: topic {options.topic} holds no tagged posts: "
                "name the one to which workers publish, see --topic"
            ) from None
        if options.follow and changed is not None:
            print(json.dumps(changed), flush=True)
    if not options.follow:
        for row in latest.rows():
            print(json.dumps(row))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
