"""A Faust agent as Faust's documentation shows it: an event at a time, `topic.send`, commits by Faust."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import faust

from benchmarks.measuring import Measured, report
from benchmarks.peers.work import Given, Work


async def measure(given: Given) -> Measured:
    """Time from the first post that is read to the last one that was sent and acknowledged."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    app = faust.App(
        given.group, broker=f"kafka://{given.broker}", web_enabled=False, topic_disable_leader=True,
        topic_allow_declare=False, consumer_auto_offset_reset="earliest", producer_acks=-1,
        datadir=str(Path(gettempdir()) / "streamproc-faust"),
    )  # fmt: skip
    out = app.topic(given.target, value_serializer="raw", key_serializer="raw")
    finished = asyncio.Event()
    work, seen = Work(given.posts), 0

    async def tag(stream: Any) -> AsyncIterator[None]:
        nonlocal seen
        async for event in stream.events():
            message = event.message
            value = work.message(event.value, message.partition, message.offset)
            delivered = await out.send(key=message.key, value=value)
            seen += 1
            if seen == given.posts:
                await delivered
                finished.set()
            yield

    app.agent(app.topic(given.source, value_serializer="raw", key_serializer="raw"), name="tag")(tag)
    await app.start()
    await finished.wait()
    measured = work.measured()
    await app.stop()
    return measured


if __name__ == "__main__":
    report(asyncio.run(measure(Given.of(sys.argv[1:]))))
