"""Committed and end offsets of a group, asked of the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import GroupIdNotFoundError, RetriableError

from streamproc.broker.link import Link
from streamproc.broker.topics import admin_client
from streamproc.errors import BrokerError

_COORDINATOR_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far a group is in one partition.

    Attributes:
        committed: offset of the next post that the group will read; `None` before its first commit.
        end: offset behind the last post.
        lag: posts between them; all posts still in the partition when nothing is committed.
    """

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


def probe(link: Link, group: str, topic: str) -> list[PartitionLag]:
    """Lag of a group in each partition of a topic, in order of partition.

    Raises:
        BrokerError: no broker answers, or the topic is not there.
    """
    with admin_client(link) as client:
        found = [t for t in client.describe_topics() if t["name"] == topic]
        if not found:
            raise BrokerError(f"Kafka at {link.told} has no topic {topic}: run `streamproc topics create`")
        partitions = [TopicPartition(topic, p["partition_index"]) for p in found[0]["partitions"]]
        ends = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        begins = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        committed = _committed(client, group, partitions)
    rows = []
    for partition in sorted(partitions, key=lambda tp: tp.partition):
        known = committed.get(partition)
        offset = known.offset if known is not None and known.offset >= 0 else None
        end = ends[partition].offset
        lag = max(0, end - (begins[partition].offset if offset is None else offset))
        rows.append(PartitionLag(topic, partition.partition, offset, end, lag))
    return rows


def _committed(client: Any, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, Any]:
    """What the group has committed. A broker's first group makes it build its offsets topic first."""
    deadline = time.monotonic() + _COORDINATOR_PATIENCE_S
    while True:
        try:
            known: dict[TopicPartition, Any] = client.list_group_offsets({group: partitions}).get(group, {})
        except GroupIdNotFoundError:
            return {}
        except RetriableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return known
