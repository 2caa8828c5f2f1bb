"""Topics that grow, are missing, vanish, or refuse what is sent to them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.chaos.outcome import Bounds
from tests.chaos.scenario import Scenario
from tests.chaos.stream import PARTITIONS, Stream


async def _ask(stream: Stream, request: str, *arguments: Any) -> None:
    """Have the broker's admin do something."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stream.kafka.bootstrap)
    await admin.start()
    try:
        answer = await getattr(admin, request)(*arguments)
    finally:
        await admin.close()
    for one in answer if isinstance(answer, list) else [answer]:
        told = [*getattr(one, "topic_error_codes", ()), *getattr(one, "resources", ())]
        if any(code for entry in told for code in entry[:2] if isinstance(code, int)):
            raise RuntimeError(f"{request}: {answer}")


async def _grow(stream: Stream, times: int) -> None:
    """Twice as many partitions of `posts`: also what comes in there is read."""
    stream.environment["CONSUMER_METADATA_MAX_AGE_MS"] = "2000"  # five minutes without it
    stream.keep()
    partitions = PARTITIONS
    for _ in range(times):
        await stream.more(200)
        partitions *= 2
        await _ask(stream, "create_partitions", {stream.posts: NewPartitions(partitions)})
        await stream.observer.follow({stream.posts: partitions})
        await stream.recovered(everywhere=True)


async def _vanish(stream: Stream, times: int) -> None:
    """`entities` is deleted when all that is in it is read, and made again while posts wait for it."""
    stream.keep()
    for _ in range(times):
        await stream.more(200)
        await stream.hold()
        await stream.observer.follow({stream.entities: 0})
        await _ask(stream, "delete_topics", [stream.entities])
        stream.resume()
        await asyncio.sleep(5.0)
        await stream.kafka.create(stream.entities, PARTITIONS)
        await stream.observer.follow({stream.entities: PARTITIONS}, anew=[stream.entities])
        await stream.recovered()


async def _miss(stream: Stream, times: int) -> None:
    """`entities` is not there when workers start: none does, until it is made."""
    for _ in range(times):
        await stream.observer.follow({stream.entities: 0})
        await _ask(stream, "delete_topics", [stream.entities])
        stream.keep()
        await stream.fails(len(stream.exits) + 2, "has no topic")
        await stream.kafka.create(stream.entities, PARTITIONS)
        await stream.observer.follow({stream.entities: PARTITIONS}, anew=[stream.entities])
        await stream.recovered()


async def _refuse(stream: Stream, times: int) -> None:
    """`entities` takes next to nothing for a while."""
    stream.keep()
    for _ in range(times):
        await stream.more(100)
        await _limit(stream, 150)
        await stream.more(100)
        await _limit(stream, 1_048_576)
        await stream.recovered()


async def _limit(stream: Stream, size: int) -> None:
    limit = ConfigResource(ConfigResourceType.TOPIC, stream.entities, {"max.message.bytes": str(size)})
    await _ask(stream, "alter_configs", [limit])


SCENARIOS: Final = (
    Scenario(
        "partitions-added", "posts gets twice as many partitions under a worker, which looks every 2 s",
        _grow, times=1, posts=2000,
    ),
    Scenario(
        "output-missing", "entities is not there when workers start; it is made later",
        _miss, times=1, posts=800, bounds=Bounds(exits=True),
    ),
    Scenario(
        "output-deleted", "entities is deleted while a worker is at work, and made again 5 s later",
        _vanish, times=3, posts=1200,
    ),
    Scenario(
        "output-refuses", "entities takes messages of 150 bytes at most for a while (max.message.bytes)",
        _refuse, times=5, posts=800, bounds=Bounds(repeats=False, too_large=True),
    ),
)  # fmt: skip
