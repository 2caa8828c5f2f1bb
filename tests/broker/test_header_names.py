"""Headers whose names are not UTF-8, which other Kafka clients send."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streamproc.broker import header_names
from streamproc.deadletters.letter import PREFIX
from tests.deployment import Deployment, body, ids
from tests.services.process import require

NAME = b"tr\xffce\xc3\xa9"
ESCAPED = "tr\\xffceé"


def batch(first: int, names: list[bytes]) -> bytes:
    """A record batch whose records have one header each, named so, as a broker sends it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for offset, name in enumerate(names):
        stand_in = "Q" * len(name)
        builder.append(offset, 1000 + offset, b"k%d" % offset, b"v", [(stand_in, b"1")])
    data = bytes(builder.build())
    for name in names:
        data = data.replace(b"Q" * len(name), name, 1)
    data = struct.pack(">q", first) + data[8:]
    checksum = struct.pack(">I", calc_crc32c(data[DefaultRecordBase.ATTRIBUTES_OFFSET :]))
    at = DefaultRecordBase.CRC_OFFSET
    return data[:at] + checksum + data[at + 4 :]


def read(data: bytes, start: int) -> list[Any]:
    """What aiokafka's fetcher gives of an answer, from an offset on."""
    records = header_names._Records(data)
    place = TopicPartition("posts", 0)
    return list(PartitionRecords(place, records, None, start, None, None, True, READ_UNCOMMITTED))


def test_each_record_is_read_once_whatever_the_names_of_its_neighbours() -> None:
    middle = batch(12, [b"b1", NAME, b"c"])
    data = batch(10, [b"a", b"ok"]) + middle + batch(15, [b"d"])
    found = read(data, 11)
    assert [(r.offset, r.headers[0][0]) for r in found] == [
        (11, "ok"), (12, "b1"), (13, ESCAPED), (14, "c"), (15, "d"),
    ]  # fmt: skip
    assert {(r.value, r.headers[0][1]) for r in found} == {(b"v", b"1")}
    assert [r.timestamp for r in found] == [1001, 1000, 1001, 1002, 1000]
    assert [r.offset for r in read(middle, 14)] == [14]


def send(stream: Deployment, key: bytes, value: bytes, *options: str) -> None:
    kcat = shutil.which("kcat")
    if kcat is None:
        require("kcat", "no kcat on the path")
    command = [
        kcat,
        "-b",
        stream.kafka.bootstrap,
        "-t",
        stream.settings["topics.posts"],
        "-P",
        "-p",
        "0",
        *options,
    ]
    subprocess.run(
        [*(str(part).encode() for part in command), b"-k", key, b"-H", NAME + b"=1"],
        input=value, capture_output=True, timeout=30, check=True,
    )  # fmt: skip


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_such_a_post_is_tagged_or_becomes_a_letter_and_the_partition_goes_on(
    deploy: Callable[..., Deployment], codec: str
) -> None:
    stream = deploy(**{"topics.partitions": "1"})
    await asyncio.to_thread(send, stream, b"test:1", body(1), "-z", codec)
    await asyncio.to_thread(send, stream, b"test:2", b"{", "-z", codec)
    await stream.send({f"test:{n}": body(n) for n in (3, 4)})
    stream.start_worker()
    tagged = await stream.read("entities", lambda found: len(found) >= 3)
    assert ids(tagged) == {"1", "3", "4"}
    (letter,) = await stream.read("deadletters", lambda found: len(found) >= 1)
    assert dict(letter.headers)[PREFIX + "exception"] == b"MalformedPost"
    assert (ESCAPED, b"1") in letter.headers

    done = await asyncio.to_thread(stream.run, "deadletters", "replay", "--json")
    assert json.loads(done.stdout)["replayed"] == 1
    letters = await stream.read("deadletters", lambda found: len([r for r in found if r.value]) >= 2)
    again = [r for r in letters if r.value][1]
    assert (ESCAPED, b"1") in again.headers
    assert dict(again.headers)["__streamproc.attempts"] == b"2"
