"""Quix Streams as its documentation shows: a streaming dataframe, checkpoints by the application."""

from __future__ import annotations

import sys

from quixstreams import Application, message_context

from benchmarks.measuring import Measured, report
from benchmarks.peers.work import Given, Work


def measure(given: Given) -> Measured:
    """Time from the first post that is read to the end of the run, its last checkpoint included."""
    app = Application(
        broker_address=given.broker, consumer_group=given.group, auto_offset_reset="earliest",
        auto_create_topics=False, producer_extra_config={"acks": "all"}, loglevel="ERROR",
    )  # fmt: skip
    source = app.topic(given.source, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(given.target, key_serializer="bytes", value_serializer="bytes")
    work = Work(given.posts)

    def tag(value: bytes) -> bytes:
        context = message_context()
        return work.message(value, context.partition, context.offset)

    app.dataframe(source).apply(tag).to_topic(target)
    app.run(count=given.posts)
    return work.measured()


if __name__ == "__main__":
    report(measure(Given.of(sys.argv[1:])))
