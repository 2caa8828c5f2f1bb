"""A Redis that is away, full, loading or frozen costs what it knows, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Recalled, UrlEntry
from streamproc.vision.cache import VisualCache
from streamproc.vision.cache.connecting import connect
from streamproc.vision.cache.redis import RedisStore
from tests.services.process import free_port
from tests.services.redis import serving
from tests.vision.cache.conftest import OpenCache

OCR = example_value("ocr")
GRID = example_value("grid")
URL = "https://pictures.example/1.jpg"

pytestmark = pytest.mark.usefixtures("redis_url")  # where Redis cannot be had, it says so and skips


def _cache(
    url: str, *, pause_s: float = 0.0, timeout_s: float = 5.0, deadline_s: float = 20.0
) -> VisualCache:
    store = RedisStore(connect(url, timeout_s), pause_s=pause_s, deadline_s=deadline_s)
    return VisualCache(store, ttl_s=60, failure_ttl_s=60, max_value_bytes=1_000_000)


async def _nothing_works_and_nothing_raises(cache: VisualCache) -> None:
    assert await cache.recall(URL, ["ocr"]) == Recalled()
    assert await cache.get("a", ["ocr", "grid"]) == {}
    await cache.put("a", "ocr", OCR)
    await cache.put_url(URL, UrlEntry(1.0, "a"))
    async with cache.turn("a", "ocr") as known:
        assert known is None
    assert cache.counts.away


async def _everything_works(cache: VisualCache) -> None:
    await cache.put_url(URL, UrlEntry(1.0, "a"))
    await cache.put("a", "ocr", OCR)
    assert await cache.recall(URL, ["ocr"]) == Recalled(UrlEntry(1.0, "a"), {"ocr": OCR})
    assert not cache.counts.away


async def test_redis_killed_and_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamproc.vision.cache")
    with serving(tmp_path) as first:
        cache = _cache(first.url)
        await _everything_works(cache)
        os.kill(first.server.pid, signal.SIGKILL)
    for _ in range(3):
        await _nothing_works_and_nothing_raises(cache)
    assert cache.counts.errors >= 15
    with serving(tmp_path, port=first.port):
        assert await cache.get("a", ["ocr"]) == {}
        await _everything_works(cache)
    await cache.close()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("cache: Redis is away, going on without it: ")
    assert said[1] == "cache: Redis is back"


async def test_redis_killed_and_started_again_between_two_questions_is_not_noticed(tmp_path: Path) -> None:
    """Pooled connections are dead then: they are made anew."""
    with serving(tmp_path) as first:
        cache = _cache(first.url)
        await _everything_works(cache)
    with serving(tmp_path, port=first.port):
        await _everything_works(cache)
    assert cache.counts.errors == 0
    await cache.close()


async def test_redis_killed_while_many_ask(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        cache = _cache(running.url)
        await cache.put("a", "ocr", OCR)
        questions = [asyncio.create_task(cache.get("a", ["ocr"])) for _ in range(2000)]
        await questions[0]
        os.kill(running.server.pid, signal.SIGKILL)
        found = await asyncio.gather(*questions)
    assert found[0] == {"ocr": OCR}
    assert found[-1] == {}
    await cache.close()


async def test_after_a_failure_redis_is_left_in_peace_for_a_while(tmp_path: Path) -> None:
    """Otherwise every look would wait for a connection that will not come."""
    port = free_port()
    cache = _cache(f"redis://127.0.0.1:{port}/0", pause_s=3600)
    assert await cache.get("a", ["ocr"]) == {}
    with serving(tmp_path, port=port) as running:
        await _nothing_works_and_nothing_raises(cache)
        async with Redis.from_url(running.url) as redis:
            assert await redis.dbsize() == 0
            assert (await redis.info("stats"))[
                "total_connections_received"
            ] <= 3  # two tries to listen, ours
    assert cache.counts.errors == 1
    await cache.close()


async def test_a_frozen_redis_is_away_until_it_thaws(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        cache = _cache(running.url, timeout_s=0.2)
        await _everything_works(cache)
        os.kill(running.server.pid, signal.SIGSTOP)
        await _nothing_works_and_nothing_raises(cache)
        os.kill(running.server.pid, signal.SIGCONT)
        while await cache.get("a", ["ocr"]) != {"ocr": OCR}:
            await asyncio.sleep(0.02)
        await _everything_works(cache)
        await cache.close()


async def test_a_redis_that_takes_no_more_is_not_away(tmp_path: Path) -> None:
    with serving(tmp_path, "--maxmemory-policy", "noeviction") as running:
        cache = _cache(running.url)
        await _everything_works(cache)
        async with Redis.from_url(running.url) as redis:
            await redis.config_set("maxmemory", "100kb")
            await cache.put("b", "ocr", OCR)
            async with cache.turn("b", "ocr") as known:
                assert known is None  # no room for a lease either: everybody's turn
            assert cache.counts.refused >= 2
            assert (await cache.recall(URL, ["ocr"])).outcomes == {"ocr": OCR}
            assert (cache.counts.errors, cache.counts.away) == (0, False)
            await redis.config_set("maxmemory", "0")
        await cache.put("b", "ocr", OCR)
        assert await cache.get("b", ["ocr"]) == {"ocr": OCR}
        await cache.close()


async def test_a_redis_that_misses_its_replicas_is_not_away(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        cache = _cache(running.url)
        await _everything_works(cache)
        async with Redis.from_url(running.url) as redis:
            await redis.config_set("min-replicas-to-write", "1")
        await cache.put("b", "ocr", OCR)
        assert (await cache.recall(URL, ["ocr"])).outcomes == {"ocr": OCR}
        assert (cache.counts.refused, cache.counts.errors) == (1, 0)
        await cache.close()


async def test_a_redis_that_forgets_what_it_wants_knows_the_latest(tmp_path: Path) -> None:
    with serving(tmp_path, "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru") as running:
        cache = _cache(running.url)
        for number in range(100):
            await cache.put(str(number), "grid", GRID)
        known = [bool(await cache.get(str(number), ["grid"])) for number in range(100)]
        assert known[-1]
        assert not all(known)
        assert (cache.counts.refused, cache.counts.errors) == (0, 0)
        await cache.close()


async def test_a_replica_that_is_not_to_be_written_is_away_until_it_is_a_master(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        cache = _cache(running.url)
        await _everything_works(cache)
        async with Redis.from_url(running.url) as redis:
            await redis.replicaof("127.0.0.1", free_port())
            await cache.put("a", "ocr", OCR)
            assert cache.counts.away
            async with cache.turn("b", "ocr") as known:
                assert known is None
            await redis.replicaof("NO", "ONE")
        await _everything_works(cache)
        await cache.close()


async def test_a_redis_that_loads_its_data_is_away_until_it_has(tmp_path: Path) -> None:
    with serving(tmp_path, "--dir", str(tmp_path)) as first:
        cache = _cache(first.url)
        async with Redis.from_url(first.url) as redis:
            await redis.mset({f"key{number}": os.urandom(2000) for number in range(300)})
            await redis.save()
    slowly = ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    with serving(tmp_path, "--dir", str(tmp_path), *slowly, port=first.port):
        await _nothing_works_and_nothing_raises(cache)
        while not await cache.get("a", ["ocr"]):
            await cache.put("a", "ocr", OCR)
        await _everything_works(cache)
        await cache.close()


async def test_a_refused_password_is_said_without_the_password(
    opened: OpenCache, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = opened(redis_url.replace("://", "://me:hunter2@"))
    await _nothing_works_and_nothing_raises(cache)
    assert "Redis is away" in caplog.text
    assert "hunter2" not in caplog.text
