"""Finding the broker and the topics before any work starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from streamproc.broker.link import Link
from streamproc.broker.refusals import nobody_there, refusal
from streamproc.errors import BrokerError, SettingsError
from streamproc.settings import Settings

logger = logging.getLogger(__name__)

_ANSWER_S: Final = 10.0
"""How long a broker may take for an answer; less where nobody has that much patience."""


async def partitions_of_topics(
    link: Link, patience_s: float = 0.0, wanted: Sequence[str] = ()
) -> dict[str, int]:
    """Every topic of the broker that we may see, with its number of partitions.

    Args:
        link: the way to the brokers.
        patience_s: how long to wait for one.
        wanted: topics that we need to see.

    Raises:
        BrokerError: no broker answers.
        SettingsError: it does not let us in, or not see a wanted topic.
    """
    answer_ms = int(1000 * min(patience_s or _ANSWER_S, _ANSWER_S))
    client: Any = AIOKafkaClient(
        **link.arguments(), client_id=f"streamproc-{uuid4().hex[:8]}", request_timeout_ms=answer_ms
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    deadline = monotonic() + patience_s
    told = not patience_s
    try:
        while True:
            try:
                await client.bootstrap()
                break
            except (KafkaError, OSError, ValueError) as error:
                if refused := refusal(await _why(link, answer_ms) or error, link):
                    raise refused from error
                if monotonic() >= deadline:
                    raise nobody_there(link) from error
                if not told:
                    logger.warning("no Kafka at %s yet: tried again for %g s", link.told, patience_s)
                    told = True
                await asyncio.sleep(1.0)
        metadata = await client.fetch_all_metadata()
        found = {topic: len(metadata.partitions_for_topic(topic) or ()) for topic in metadata.topics()}
        if unseen := set(wanted) - found.keys():
            # Asked for by name, a topic that we may not see is told from one that is not there.
            await client.set_topics(unseen)
            if hidden := sorted(client.cluster.unauthorized_topics):
                raise SettingsError(
                    f"Kafka at {link.told} does not let this client use topic {', '.join(hidden)}: "
                    "grant it, or name another topic"
                )
        return found
    finally:
        logging.getLogger("aiokafka").setLevel(logging.WARNING)
        await client.close()


async def _why(link: Link, answer_ms: int) -> Exception | None:
    """What a connection to the first broker fails with: aiokafka's own attempt only logs it."""
    given = link.arguments()
    host, _, port = given.pop("bootstrap_servers")[0].rpartition(":")
    try:
        connection = await create_conn(host.strip("[]"), int(port), **given, request_timeout_ms=answer_ms)
    except Exception as error:  # noqa: BLE001 - looked at by whoever asked
        return error
    connection.close()
    return None


def needed_topics(settings: Settings) -> tuple[str, ...]:
    """The topics that a worker reads and writes."""
    topics = settings.topics
    shadow = (topics.shadow,) if any(route.shadow for route in settings.routes) else ()
    return (topics.posts, topics.entities, topics.deadletters, *shadow)


async def require_topics(settings: Settings, topics: Sequence[str]) -> None:
    """Wait for the broker, and see that these topics are there.

    Raises:
        BrokerError: no broker answers, or a topic is missing.
        SettingsError: it does not let us in, or not see a topic.
    """
    link = Link.of(settings.kafka)
    found = await partitions_of_topics(link, settings.kafka.start_timeout_s, topics)
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise BrokerError(
            f"Kafka at {link.told} has no topic {', '.join(missing)}: run `streamproc topics create`"
        )
