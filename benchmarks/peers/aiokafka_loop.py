"""aiokafka as its documentation shows for batches: `getmany`, `send`, wait for all, commit by partition."""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.measuring import Measured, report
from benchmarks.peers.work import Given, Work


async def measure(given: Given) -> Measured:
    """Time from the first post that is read to the last commit."""
    consumer = AIOKafkaConsumer(
        given.source, bootstrap_servers=given.broker, group_id=given.group,
        auto_offset_reset="earliest", enable_auto_commit=False,
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=given.broker, acks="all")
    await consumer.start()
    await producer.start()
    work, seen = Work(given.posts), 0
    try:
        while seen < given.posts:
            for tp, messages in (await consumer.getmany(timeout_ms=1000, max_records=500)).items():
                sent = [
                    await producer.send(
                        given.target, work.message(m.value, m.partition, m.offset), key=m.key
                    )
                    for m in messages
                ]
                await asyncio.gather(*sent)
                await consumer.commit({tp: messages[-1].offset + 1})
                seen += len(messages)
        return work.measured()
    finally:
        await producer.stop()
        await consumer.stop()


if __name__ == "__main__":
    report(asyncio.run(measure(Given.of(sys.argv[1:]))))
