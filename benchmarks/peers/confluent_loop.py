"""confluent-kafka as its documentation shows: `consume`, `produce`, `poll`, flush, synchronous commit."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, KafkaException, Producer

from benchmarks.measuring import Measured, report
from benchmarks.peers.work import Given, Work


def measure(given: Given) -> Measured:
    """Time from the first post that is read to the last commit."""
    consumer = Consumer(
        {
            "bootstrap.servers": given.broker,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": given.broker, "acks": "all"})
    consumer.subscribe([given.source])
    work, seen = Work(given.posts), 0
    try:
        while seen < given.posts:
            messages = consumer.consume(num_messages=500, timeout=1.0)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
                value = work.message(message.value(), message.partition(), message.offset())
                producer.produce(given.target, key=message.key(), value=value)
                producer.poll(0)
            if messages:
                producer.flush()
                consumer.commit(asynchronous=False)
                seen += len(messages)
        return work.measured()
    finally:
        consumer.close()


if __name__ == "__main__":
    report(measure(Given.of(sys.argv[1:])))
