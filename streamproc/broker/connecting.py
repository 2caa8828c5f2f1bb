"""Finding the broker and the topics before any work starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any
from uuid import uuid4

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from streamproc.errors import BrokerError
from streamproc.settings import Settings

logger = logging.getLogger(__name__)


async def partitions_of_topics(broker: str, patience_s: float = 0.0) -> dict[str, int]:
    """Every topic of the broker with its number of partitions.

    Raises:
        BrokerError: no broker answers.
    """
    client: Any = AIOKafkaClient(
        bootstrap_servers=[address.strip() for address in broker.split(",")],
        client_id=f"streamproc-{uuid4().hex[:8]}",
        request_timeout_ms=10_000,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    deadline = monotonic() + patience_s
    try:
        while True:
            try:
                await client.bootstrap()
                break
            except (KafkaError, OSError, ValueError) as error:
                if monotonic() >= deadline:
                    raise BrokerError(
                        f"no Kafka at {broker}: start one, or set kafka.broker to HOST:PORT"
                    ) from error
                await asyncio.sleep(1.0)
        metadata = await client.fetch_all_metadata()
        return {topic: len(metadata.partitions_for_topic(topic) or ()) for topic in metadata.topics()}
    finally:
        logging.getLogger("aiokafka").setLevel(logging.WARNING)
        await client.close()


def needed_topics(settings: Settings) -> tuple[str, ...]:
    """The topics that a worker reads and writes."""
    topics = settings.topics
    shadow = (topics.shadow,) if any(route.shadow for route in settings.routes) else ()
    return (topics.posts, topics.entities, topics.deadletters, *shadow)


async def require_topics(settings: Settings, topics: Sequence[str]) -> None:
    """Wait for the broker, and see that these topics are there.

    Raises:
        BrokerError: no broker answers, or a topic is missing.
    """
    found = await partitions_of_topics(settings.kafka.broker, settings.kafka.start_timeout_s)
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise BrokerError(
            f"Kafka at {settings.kafka.broker} has no topic {', '.join(missing)}: "
            "run `streamproc topics create`"
        )
