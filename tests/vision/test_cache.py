"""What is put is known; a cache that is away, full or damaged knows less and never raises."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from redis.asyncio import Redis

from streamproc.errors import SettingsError
from streamproc.testing.visuals import example_value
from streamproc.vision.cache import MemoryCache, RedisCache, open_cache
from streamproc.vision.visuals import LOOKED_AT
from tests.services.process import Server, free_ports, listens
from tests.vision.test_codec import same

OCR = example_value("ocr")


async def test_memory_gives_what_was_put_in_the_order_of_the_question() -> None:
    cache = MemoryCache(10_000)
    await cache.put({"a": "one", "b": "two"})
    assert await cache.get(["b", "nothing", "a"]) == ["two", None, "one"]


async def test_memory_forgets_the_least_recently_used_when_it_is_full() -> None:
    cache = MemoryCache(2500)
    for key in "ab":
        await cache.put({key: np.zeros(500, np.float16)})
    await cache.get(["a"])
    await cache.put({"c": np.zeros(500, np.float16)})
    assert [value is not None for value in await cache.get(["a", "b", "c"])] == [True, False, True]


async def test_memory_counts_a_replaced_value_once() -> None:
    cache = MemoryCache(2500)
    for _ in range(10):
        await cache.put({"a": np.zeros(500, np.float16)})
    await cache.put({"b": np.zeros(500, np.float16)})
    assert all(value is not None for value in await cache.get(["a", "b"]))


async def test_memory_does_not_empty_itself_for_a_value_that_can_never_fit() -> None:
    cache = MemoryCache(1500)
    await cache.put({"small": OCR})
    await cache.put({"huge": np.zeros(5000, np.float16)})
    assert await cache.get(["small", "huge"]) == [OCR, None]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisCache]:
    opened = open_cache(redis_url, ttl_s=1000)
    assert isinstance(opened, RedisCache)
    yield opened
    await opened.close()


def _key(name: str) -> str:
    return f"{name}:{uuid4()}"


async def test_redis_gives_back_every_kind_of_value(cache: RedisCache) -> None:
    values = {_key(modality): example_value(modality) for modality in LOOKED_AT}
    await cache.put(values)
    found = await cache.get(list(values))
    assert all(same(value, known) for value, known in zip(values.values(), found, strict=True))
    assert await cache.get([_key("unknown")]) == [None]
    assert await cache.get([]) == []


async def test_redis_keeps_values_for_their_time_give_or_take_a_tenth(
    cache: RedisCache, redis: Redis
) -> None:
    values = {_key("ocr"): OCR for _ in range(50)}
    await cache.put(values)
    lifetimes = [await redis.pttl("streamproc:visual:" + key) for key in values]
    assert all(880_000 < ms <= 1_100_000 for ms in lifetimes)
    assert max(lifetimes) - min(lifetimes) > 50_000


async def test_a_value_that_cannot_be_read_is_deleted_and_not_known(
    cache: RedisCache, redis: Redis
) -> None:
    good, bad = _key("ocr"), _key("ocr")
    await cache.put({good: OCR, bad: OCR})
    await redis.set("streamproc:visual:" + bad, b"\x80\x04damaged")
    assert await cache.get([bad, good]) == [None, OCR]
    assert not await redis.exists("streamproc:visual:" + bad)


def _redis_on(port: int, folder: Path) -> Server:
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    return Server(command, folder, lambda: listens(port), seconds=20)


@pytest.mark.usefixtures("redis_url")  # where Redis cannot be had, it says so and skips
async def test_redis_killed_and_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamproc.vision.cache")
    (port,) = free_ports(1)
    client = Redis.from_url(f"redis://127.0.0.1:{port}/0")
    cache = RedisCache(client, ttl_s=60, pause_s=0)
    with _redis_on(port, tmp_path) as server:
        await cache.put({"a": OCR})
        assert await cache.get(["a"]) == [OCR]
        os.kill(server.pid, signal.SIGKILL)
    for _ in range(3):
        assert await cache.get(["a", "b"]) == [None, None]
        await cache.put({"a": OCR})
    with _redis_on(port, tmp_path):
        assert await cache.get(["a"]) == [None]
        await cache.put({"a": OCR})
        assert await cache.get(["a"]) == [OCR]
    await cache.close()
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "Redis is away" in line]) == 1
    assert said[-1] == "cache: Redis is back"


@pytest.mark.usefixtures("redis_url")
async def test_after_a_failure_redis_is_left_in_peace_for_a_while(tmp_path: Path) -> None:
    """Otherwise every look would wait for a connection that will not come."""
    (port,) = free_ports(1)
    url = f"redis://127.0.0.1:{port}/0"
    cache = RedisCache(Redis.from_url(url), ttl_s=60, pause_s=3600)
    assert await cache.get(["a"]) == [None]
    with _redis_on(port, tmp_path):
        await cache.put({"a": OCR})
        async with Redis.from_url(url) as redis:
            assert await redis.dbsize() == 0
    await cache.close()


async def test_a_refused_password_is_said_without_the_password(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(redis_url.replace("://", "://me:hunter2@"))
    assert await cache.get(["a"]) == [None]
    await cache.close()
    assert "Redis is away" in caplog.text
    assert "hunter2" not in caplog.text


async def test_open_cache_reads_the_setting() -> None:
    assert isinstance(open_cache(None), MemoryCache)
    assert isinstance(open_cache("memory://"), MemoryCache)
    for url in ("redis://127.0.0.1:1/0", "rediss://:secret@127.0.0.1:1/0"):
        cache = open_cache(url)
        assert isinstance(cache, RedisCache)
        await cache.close()


@pytest.mark.parametrize("url", ["memcached://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1:port/0"])
def test_a_cache_that_is_not_known_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match=r"vision\.cache"):
        open_cache(url)
