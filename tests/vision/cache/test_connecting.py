"""Each form of URL leads to its kind of Redis; what cannot be read is said without what is in it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from streamproc.errors import SettingsError
from streamproc.testing.visuals import example_value
from streamproc.vision.api import UrlEntry
from streamproc.vision.cache import VisualCache, open_cache
from streamproc.vision.visuals import LOOKED_AT
from tests.services.redis import certificate, cluster, sentinel, serving, serving_tls
from tests.vision.cache.conftest import OpenCache
from tests.vision.test_codec import same

OCR = example_value("ocr")


async def _it_remembers(cache: VisualCache) -> None:
    """Over many pictures, so that every node of a cluster has some."""
    for number in range(20):
        digest, url = uuid4().hex, f"https://pictures.example/{uuid4()}"
        async with cache.turn(digest, "ocr") as known:
            assert known is None
            await cache.put(digest, "ocr", OCR)
        async with cache.turn(digest, "ocr") as known:
            assert known == OCR
        entry = UrlEntry(float(number), digest)
        await cache.put_url(url, entry)
        recalled = await cache.recall(url, ["ocr", "unknown"])
        assert (recalled.entry, recalled.outcomes) == (entry, {"ocr": OCR})
    assert cache.counts.errors == 0


async def test_a_server_that_wants_a_password(opened: OpenCache, tmp_path: Path) -> None:
    with serving(tmp_path, "--requirepass", "p@ss/w?rd#1") as running:
        await _it_remembers(opened(f"redis://:p%40ss%2Fw%3Frd%231@127.0.0.1:{running.port}/3"))
        without = opened(running.url)
        assert await without.get("a", ["ocr"]) == {}
        assert without.counts.away
        async with Redis(port=running.port, password="p@ss/w?rd#1", db=3) as redis:
            assert await redis.dbsize() > 0


async def test_a_server_on_a_socket(opened: OpenCache, tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with serving(tmp_path, "--unixsocket", str(path)):
        await _it_remembers(opened(f"unix://{path}?db=1"))


async def test_a_server_behind_tls(opened: OpenCache, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    with serving_tls(tmp_path, made) as port:
        await _it_remembers(opened(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={made.file}"))
        distrustful = opened(f"rediss://127.0.0.1:{port}/0")
        assert await distrustful.get("a", ["ocr"]) == {}
        assert distrustful.counts.away


async def test_a_cluster(opened: OpenCache, tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes[:2])
        cache = opened(url, timeout_s=0.5)
        await _it_remembers(cache)
        many = [uuid4().hex for _ in range(100)]
        outcomes = {modality: example_value(modality) for modality in LOOKED_AT}
        for name, outcome in outcomes.items():
            await asyncio.gather(*(cache.put(digest, name, outcome) for digest in many))
        found = await asyncio.gather(*(cache.get(digest, list(outcomes)) for digest in many))
        assert all(same(known[name], outcome) for known in found for name, outcome in outcomes.items())
        assert cache.counts.errors == 0

        os.kill(nodes[2].server.pid, signal.SIGKILL)
        assert {} in await asyncio.gather(*(cache.get(digest, ["ocr"]) for digest in many))
        assert cache.counts.errors > 0


async def test_a_master_that_moves_is_followed(opened: OpenCache, tmp_path: Path) -> None:
    with ExitStack() as stack:
        places = [tmp_path / name for name in ("master", "replica", "sentinel")]
        for place in places:
            place.mkdir()
        master = stack.enter_context(serving(places[0], "--repl-diskless-sync-delay", "0"))
        replica = stack.enter_context(serving(places[1], "--replicaof", "127.0.0.1", str(master.port)))
        port = stack.enter_context(sentinel(places[2], master, "mine"))
        cache = opened(f"redis+sentinel://127.0.0.1:{port}/mine/0")
        await _it_remembers(cache)
        async with Redis(port=replica.port) as heir, Redis(port=port) as watcher:
            while (await heir.info("replication"))["master_link_status"] != "up":
                await asyncio.sleep(0.02)
            while not await watcher.execute_command("SENTINEL", "REPLICAS", "mine"):
                await asyncio.sleep(0.02)
            os.kill(master.server.pid, signal.SIGKILL)
            while await cache.get("after", ["ocr"]) != {"ocr": OCR}:
                await cache.put("after", "ocr", OCR)
                await asyncio.sleep(0.02)
            assert await heir.exists("streamproc:picture:{after}:ocr")
        assert not cache.counts.away


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "redis://me:secret@[::1]:1/15",
        "rediss://:secret@redis.example/0?ssl_cert_reqs=none&socket_keepalive=yes&client_name=streamproc",
        "redis+sentinel://me:secret@a:1,b/mine?sentinel_username=s&sentinel_password=t",
        "rediss+sentinel://a/mine/2?ssl_ca_certs=ca.pem",
        "redis+cluster://me:secret@127.0.0.1:1,[::1]:2",
        "rediss+cluster://127.0.0.1?ssl_ca_certs=ca.pem",
        "unix:///run/redis.sock?db=2",
        "memory://",
        None,
    ],
)
def test_a_cache_connects_at_its_first_use(url: str | None) -> None:
    assert not open_cache(url).counts.away


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "127.0.0.1:6379",
        "memcached://127.0.0.1",
        "memory://hunter2",
        "redis+memory://hunter2",
        "unix+cluster:///hunter2",
        "redis://127.0.0.1:hunter2",
        "redis://127.0.0.1/hunter2",
        "redis://127.0.0.1/0?hunter2=1",
        "redis://127.0.0.1/0?ssl_hunter2=1",
        "redis://127.0.0.1/0?db=hunter2",
        "redis://127.0.0.1/0?decode_responses=1&client_name=hunter2",
        "redis://me:hun/ter2@127.0.0.1/0",
        "redis://me:1?hunter2@127.0.0.1/0",
        "redis://me:1/hunter2@127.0.0.1/0",
        "redis://me:hunter2#@127.0.0.1/0",
        "redis://a:1,b:2/0",
        "redis+sentinel://me:hunter2@a:1,b:2",
        "redis+sentinel://me:hunter2@a:1,b:2/mine/hunter2",
        "redis+sentinel://me:hunter2@a:1,b:2/mine?ssl_hunter2=1",
        "redis+sentinel:///mine",
        "redis+cluster://me:hunter2@a:1,b:2/1",
        "redis+cluster://me:hunter2@a:1,b:2?db=1",
        "redis+cluster://a:1,,b:2",
        "unix://?db=1",
    ],
)
def test_what_cannot_be_read_is_a_settings_error_that_says_no_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^vision\.cache: expected .+ got ") as caught:
        open_cache(url or " ")
    assert "hunter2" not in str(caught.value)
    assert "ter2" not in str(caught.value)
