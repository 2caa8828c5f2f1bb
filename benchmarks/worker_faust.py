"""A stock Faust agent that parses and publishes the same objects, as Faust's documentation shows."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import faust

from benchmarks.measuring import Measured, Stopwatch, report
from benchmarks.plugins import NOTHING
from streamproc.entities import PluginInfo, Revision, Timings
from streamproc.output import tagged_post
from streamproc.posts import Post, parse

INFO = PluginInfo("noop", "1")


async def measure(posts: int, broker: str, source: str, target: str) -> Measured:
    """Time from the first post that is read to the last one that was sent and acknowledged."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    app = faust.App(
        f"stock-{target}", broker=f"kafka://{broker}", web_enabled=False, topic_disable_leader=True,
        topic_allow_declare=False, consumer_auto_offset_reset="earliest", producer_acks=-1,
    )  # fmt: skip
    out = app.topic(target, value_serializer="raw", key_serializer="raw")
    finished = asyncio.Event()
    watch: list[Stopwatch] = []
    seen = 0

    async def tag(stream: Any) -> AsyncIterator[None]:
        nonlocal seen
        async for event in stream.events():
            if not watch:
                watch.append(Stopwatch())
            post = parse(event.value)
            if isinstance(post, Post):
                revision = Revision(event.message.partition, event.message.offset)
                tagged = tagged_post(post, NOTHING, INFO, {}, revision, Timings())
                delivered = await out.send(key=post.key.encode(), value=tagged.to_json())
            seen += 1
            if seen == posts:
                await delivered
                finished.set()
            yield

    app.agent(app.topic(source, value_serializer="raw", key_serializer="raw"), name="tag")(tag)
    await app.start()
    await finished.wait()
    measured = watch[0].stop(posts)
    await app.stop()
    return measured


if __name__ == "__main__":
    report(asyncio.run(measure(int(sys.argv[1]), *sys.argv[2:5])))
