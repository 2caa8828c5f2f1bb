"""What Redis is asked, and what is there afterwards."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Recalled, UrlEntry
from streamproc.vision.cache.store import picture_key, url_key
from streamproc.vision.failures import Failure
from tests.vision.cache.conftest import OpenCache

OCR = example_value("ocr")


async def test_everything_is_kept_for_its_time_give_or_take_a_tenth(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str, url: str
) -> None:
    cache = opened(redis_url, ttl_s=1000, failure_ttl_s=10)
    names = [f"ocr:{number}" for number in range(50)]
    for name in names:
        await cache.put(digest, name, OCR)
    lifetimes = [await redis.pttl(picture_key(digest, name)) for name in names]
    assert all(890_000 < ms <= 1_100_000 for ms in lifetimes)
    assert max(lifetimes) - min(lifetimes) > 50_000

    await cache.put(digest, "opened", Failure("cannot be decoded"))
    await cache.put_url(url, UrlEntry(1.0, failure=Failure("fetch failed")))
    await cache.put_url(url + "2", UrlEntry(1.0, digest))
    assert 0 < await redis.pttl(picture_key(digest, "opened")) <= 11_000
    assert 0 < await redis.pttl(url_key(url)) <= 11_000
    assert 890_000 < await redis.pttl(url_key(url + "2")) <= 1_100_000


async def test_callers_of_one_moment_share_a_round_trip(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str, url: str
) -> None:
    cache = opened(redis_url)
    await cache.put(digest, "ocr", OCR)
    await cache.put_url(url, UrlEntry(1.0, digest))
    await cache.recall(url, ["ocr"])

    async def reads() -> int:
        return int((await redis.info("stats"))["total_reads_processed"])

    before = await reads()
    recalled = await asyncio.gather(*(cache.recall(url, ["ocr"]) for _ in range(50)))
    own = 1
    assert await reads() - before - own <= 2  # what is written at once may be read in two parts
    assert recalled == [Recalled(UrlEntry(1.0, digest), {"ocr": OCR})] * 50


async def test_more_callers_than_go_into_all_batches_are_answered(
    opened: OpenCache, redis_url: str, digest: str
) -> None:
    cache = opened(redis_url)
    await cache.put(digest, "ocr", OCR)
    found = await asyncio.gather(*(cache.get(digest, ["ocr"]) for _ in range(1000)))
    assert found == [{"ocr": OCR}] * 1000


async def test_a_caller_that_gives_up_costs_the_others_nothing(
    opened: OpenCache, redis_url: str, digest: str
) -> None:
    cache = opened(redis_url)
    await cache.put(digest, "ocr", OCR)
    looks = [asyncio.create_task(cache.get(digest, ["ocr"])) for _ in range(3)]
    await asyncio.sleep(0)
    looks[1].cancel()
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert found[0] == found[2] == {"ocr": OCR}
    assert isinstance(found[1], asyncio.CancelledError)
    assert not cache.counts.away


async def test_a_server_that_forgot_the_scripts_is_told_them_again(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str, url: str
) -> None:
    cache = opened(redis_url)
    await cache.put(digest, "ocr", OCR)
    await cache.put_url(url, UrlEntry(1.0, digest))
    for _ in range(2):
        await redis.script_flush()
        recalled = await asyncio.gather(*(cache.recall(url, ["ocr"]) for _ in range(5)))
        assert all(known.outcomes == {"ocr": OCR} for known in recalled)
    assert cache.counts.errors == 0


@pytest.mark.parametrize("where", ["url", "picture"])
async def test_another_type_of_value_under_a_key_is_not_known_and_is_overwritten(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str, url: str, where: str
) -> None:
    cache = opened(redis_url)
    await redis.rpush(url_key(url) if where == "url" else picture_key(digest, "ocr"), "somebody else's")
    assert await cache.recall(url, ["ocr"]) == Recalled()
    assert await cache.get(digest, ["ocr"]) == {}
    await cache.put_url(url, UrlEntry(1.0, digest))
    await cache.put(digest, "ocr", OCR)
    assert (await cache.recall(url, ["ocr"])).outcomes == {"ocr": OCR}
    assert cache.counts.errors == 0


@pytest.mark.parametrize("where", ["url", "picture"])
async def test_a_value_that_is_too_large_is_not_fetched_and_is_overwritten(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str, url: str, where: str
) -> None:
    async def sent() -> int:
        return int((await redis.info("stats"))["total_net_output_bytes"])

    cache = opened(redis_url, max_value_bytes=1000)
    await cache.put_url(url, UrlEntry(1.0, digest))
    await redis.set(url_key(url) if where == "url" else picture_key(digest, "ocr"), bytes(10_000_000))
    await cache.recall("https://pictures.example/warm", ["ocr"])
    before = await sent()
    found = await cache.recall(url, ["ocr"])
    assert found == (Recalled() if where == "url" else Recalled(UrlEntry(1.0, digest)))
    assert await cache.get(digest, ["ocr"]) == {}
    async with cache.turn(digest, "ocr") as known:
        assert known is None
    assert await sent() - before < 50_000
    assert cache.counts.too_large == (1 if where == "url" else 2)

    await cache.put_url(url, UrlEntry(2.0, digest))
    await cache.put(digest, "ocr", OCR)
    assert await cache.recall(url, ["ocr"]) == Recalled(UrlEntry(2.0, digest), {"ocr": OCR})
    assert cache.counts.errors == 0


async def test_a_value_of_just_the_size_that_is_taken_is_fetched(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str
) -> None:
    await opened(redis_url).put(digest, "ocr", OCR)
    size = await redis.strlen(picture_key(digest, "ocr"))
    assert await opened(redis_url, max_value_bytes=size).get(digest, ["ocr"]) == {"ocr": OCR}
    assert await opened(redis_url, max_value_bytes=size - 1).get(digest, ["ocr"]) == {}


async def test_keys_of_one_picture_share_a_slot(opened: OpenCache, redis: Redis, redis_url: str) -> None:
    cache = opened(redis_url)
    async with cache.turn("abc", "ocr:1"):
        await cache.put("abc", "ocr:1", OCR)
        keys = [key.decode() async for key in redis.scan_iter("streamproc:*{abc}:ocr:1")]
    assert sorted(keys) == ["streamproc:lease:{abc}:ocr:1", "streamproc:picture:{abc}:ocr:1"]
    await redis.delete(*keys)
