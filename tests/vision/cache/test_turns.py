"""One worker looks at a time; the others wait for what it finds, and not for the dead."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Outcome
from streamproc.vision.cache import VisualCache
from streamproc.vision.cache.store import lease_key, picture_key
from streamproc.vision.failures import Failure
from tests.services.redis import serving
from tests.vision.cache.conftest import OpenCache

OCR = example_value("ocr")


class _Worker:
    """Looks when it is its turn, and counts how often."""

    def __init__(self, cache: VisualCache) -> None:
        self.cache = cache
        self.looks = 0

    async def look(self, digest: str, outcome: Outcome | None = OCR) -> Outcome | None:
        async with self.cache.turn(digest, "ocr") as known:
            if known is not None:
                return known
            self.looks += 1
            await asyncio.sleep(0)
            if outcome is not None:
                await self.cache.put(digest, "ocr", outcome)
            return outcome


async def _until_waiting(cache: VisualCache, waited: int = 1) -> None:
    while cache.counts.waited < waited:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("outcome", [OCR, Failure("cannot be decoded")])
async def test_many_who_want_the_same_over_two_workers_look_once(
    opened: OpenCache, redis_url: str, digest: str, outcome: Outcome
) -> None:
    workers = [_Worker(opened(redis_url)), _Worker(opened(redis_url))]
    looks = [worker.look(digest, outcome) for worker in workers for _ in range(10)]
    assert await asyncio.gather(*looks) == [outcome] * 20
    assert sum(worker.looks for worker in workers) == 1
    assert sum(worker.cache.counts.waited for worker in workers) == 19


async def test_memory_gives_everybody_a_turn_until_the_value_is_there(
    opened: OpenCache, digest: str
) -> None:
    worker = _Worker(opened())
    async with worker.cache.turn(digest, "ocr") as known:
        assert known is None
        assert await worker.look(digest) == OCR
    assert await worker.look(digest) == OCR
    assert worker.looks == 1


async def test_who_finds_nothing_to_put_leaves_the_turn_to_the_next(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str
) -> None:
    first, second = _Worker(opened(redis_url)), _Worker(opened(redis_url))

    async def fail() -> None:
        async with first.cache.turn(digest, "ocr"):
            await _until_waiting(second.cache)
            assert second.looks == 0
            raise RuntimeError("the extractor failed")

    failing = asyncio.create_task(fail())
    while not await redis.exists(lease_key(digest, "ocr")):
        await asyncio.sleep(0.005)
    assert await second.look(digest) == OCR
    with pytest.raises(RuntimeError, match="the extractor failed"):
        await failing
    assert second.looks == 1
    assert not await redis.exists(lease_key(digest, "ocr"))


async def test_a_slow_look_keeps_its_turn_for_longer_than_a_lease(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str
) -> None:
    first, second = (_Worker(opened(redis_url, lease_s=0.3)) for _ in range(2))
    async with first.cache.turn(digest, "ocr"):
        waiting = asyncio.create_task(second.look(digest))
        renewals, left = 0, await redis.pttl(lease_key(digest, "ocr"))
        while renewals < 4:
            now = await redis.pttl(lease_key(digest, "ocr"))
            renewals += now > left
            left = now
            await asyncio.sleep(0.005)
        assert not waiting.done()
        await first.cache.put(digest, "ocr", OCR)
    assert await waiting == OCR
    assert second.looks == 0


async def test_a_worker_that_is_killed_while_it_looks_is_not_waited_for(
    opened: OpenCache, redis_url: str, digest: str, tmp_path: Path
) -> None:
    holder = tmp_path / "holder.py"
    holder.write_text(
        "import asyncio, sys\n"
        "from streamproc.vision.cache import open_cache\n"
        "async def main():\n"
        "    async with open_cache(sys.argv[1], lease_s=0.5).turn(sys.argv[2], 'ocr') as known:\n"
        "        print('mine' if known is None else 'known', flush=True)\n"
        "        await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(holder), redis_url, digest, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"mine\n"
    worker = _Worker(opened(redis_url))
    waiting = asyncio.create_task(worker.look(digest))
    await _until_waiting(worker.cache)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert await waiting == OCR
    assert worker.looks == 1


async def test_who_lost_its_lease_does_not_end_another_ones(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str
) -> None:
    cache, key = opened(redis_url, lease_s=60), lease_key(digest, "ocr")
    async with cache.turn(digest, "ocr"):
        await redis.set(key, "another worker's", px=60_000)
    assert await redis.get(key) == b"another worker's"


async def test_a_value_that_cannot_be_read_gives_the_turn(
    opened: OpenCache, redis: Redis, redis_url: str, digest: str
) -> None:
    worker = _Worker(opened(redis_url))
    await redis.set(picture_key(digest, "ocr"), b"damaged")
    assert await worker.look(digest) == OCR
    assert (worker.looks, worker.cache.counts.unreadable) == (1, 1)


@pytest.mark.usefixtures("redis_url")  # where Redis cannot be had, it says so and skips
async def test_when_redis_goes_who_waits_has_its_turn(
    opened: OpenCache, digest: str, tmp_path: Path
) -> None:
    with serving(tmp_path) as running:
        first, second = _Worker(opened(running.url)), _Worker(opened(running.url))
        async with first.cache.turn(digest, "ocr"):
            waiting = asyncio.create_task(second.look(digest))
            await _until_waiting(second.cache)
            os.kill(running.server.pid, signal.SIGKILL)
            assert await waiting == OCR
    assert await first.look(digest) == OCR
