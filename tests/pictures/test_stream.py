"""No post waits for a picture that cannot be had, and no picture is looked at twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from PIL import Image

from tests.deployment import Deployment, ids
from tests.services import redis as redis_service
from tests.services import triton as triton_service
from tests.services.process import free_ports
from tests.services.redis import RedisServer
from tests.services.triton import Triton
from tests.vision.http_server import Request, Server, http_server

Deploy = Callable[..., Deployment]

SEER = """
from streamproc.fusion import FusionModel, FusionPlugin, Need, Tagging

class Model(FusionModel):
    modalities = {"ocr": Need.OPTIONAL, "captions": Need.OPTIONAL}

    def tag(self, batch):
        return [Tagging((), (), 0.0) for _ in batch]

class Seer(FusionPlugin):
    name, version, needs_model = "seer", "1", False
    modalities = Model.modalities

    def load(self, model_dir, device):
        return Model()
"""


def picture(number: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (20 + number, 16), (number % 256, 80, 120)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
async def pictures() -> AsyncIterator[Server]:
    """Serves a picture of its own at each path `/NUMBER` (and whatever follows a `?`)."""

    async def answer(request: Request) -> None:
        await request.reply(picture(int(request.path.partition("?")[0].removeprefix("/"))))

    async with http_server(answer) as server:
        yield server


@pytest.fixture
def looked(tmp_path: Path) -> Callable[[], Counter[str]]:
    """How often each engine looked at each picture; at a start they look at a larger one of Triton's."""

    def counted() -> Counter[str]:
        lines = (tmp_path / "looked").read_text().splitlines()
        return Counter(line for line in lines if int(line.split()[1]) < 640)

    return counted


@pytest.fixture
def triton(tmp_path: Path) -> Iterator[Triton]:
    log = str(tmp_path / "looked")
    parameters = {
        "ocr": {"engine": "tests.pictures.engines:Ocr", "log": log},
        "captions": {"engine": "tests.pictures.engines:Captioner", "log": log},
    }
    folder = tmp_path / "triton"
    folder.mkdir()
    with triton_service.running(folder, ["ocr", "captions"], parameters) as server:
        yield server


@pytest.fixture
def seeing(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Deployment]:
    """Workers whose plugin wants to see, told where Triton and Redis are."""
    (tmp_path / "seer.py").write_text(SEER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))

    def make(triton: Triton, redis_url: str, **extra: str) -> Deployment:
        return deploy(
            **{
                "plugins": '{seer={plugin="seer:Seer"}}',
                "routes": '[{primary="seer", look="always"}]',
                "vision.extractors": triton.url,
                "vision.cache": redis_url,
                "vision.allow_private_addresses": "true",
                "vision.host_rate": "10000",
                "vision.triton.breaker_pause_s": "0.3",
                "vision.triton.deadline_s": "5",
                **extra,
            }
        )

    return make


def posts(numbers: Mapping[int, str]) -> dict[str, bytes | None]:
    return {
        f"test:{number}": json.dumps(
            {
                "platform": "test",
                "id": str(number),
                "text": f"look at this {number}",
                "media": [{"type": "image", "url": url}],
            }
        ).encode()
        for number, url in numbers.items()
    }


async def visuals(stream: Deployment, wanted: set[int]) -> dict[int, dict[str, Any]]:
    """What became of the visuals of these posts, once all of them have come out."""
    names = {str(number) for number in wanted}
    found = await stream.read("entities", lambda found: names <= ids(found))
    tagged = [json.loads(record.value) for record in found]
    return {int(post["post_id"]): post["visuals"] for post in tagged if post["post_id"] in names}


async def test_two_workers_look_at_each_of_fifty_pictures_once_for_a_thousand_posts(
    seeing: Callable[..., Deployment],
    triton: Triton,
    redis_url: str,
    pictures: Server,
    looked: Callable[[], Counter[str]],
) -> None:
    stream = seeing(triton, redis_url)
    for _ in range(2):
        stream.start_worker()
    # Every picture is behind several URLs, and every URL in several posts.
    urls = {n: pictures.url(f"/{n % 50}?{n // 50 % 4}") for n in range(1000)}
    await stream.send(posts(urls))
    seen = await visuals(stream, set(urls))
    assert {use["status"] for uses in seen.values() for use in uses.values()} == {"used"}
    assert looked() == Counter(f"{name} {20 + n}" for name in ("ocr", "captions") for n in range(50))


async def test_posts_go_on_while_triton_and_redis_are_away_and_pictures_come_back_with_them(
    seeing: Callable[..., Deployment], triton: Triton, tmp_path: Path, pictures: Server
) -> None:
    numbers = count()

    def next_posts(many: int, first_picture: int) -> dict[int, str]:
        return {next(numbers): pictures.url(f"/{first_picture + n}") for n in range(many)}

    async def send(urls: dict[int, str]) -> dict[int, dict[str, Any]]:
        await stream.send(posts(urls))
        return await visuals(stream, set(urls))

    def start_redis(port: int | None = None) -> RedisServer:
        folder = tmp_path / f"redis-{next(numbers)}"
        folder.mkdir()
        return services.enter_context(redis_service.serving(folder, port=port))

    with ExitStack() as services:
        redis = start_redis()
        stream = seeing(triton, redis.url)
        stream.start_worker()
        seen = await send(next_posts(20, 0))
        assert statuses(seen) == Counter(used=40)

        triton.kill()
        known, unknown = next_posts(20, 0), next_posts(20, 20)
        seen = await send(known | unknown)
        assert statuses({n: seen[n] for n in known}) == Counter(used=40), "Redis remembers"
        assert statuses({n: seen[n] for n in unknown}) == Counter(unavailable=40)
        reasons = {use["reason"] for n in unknown for use in seen[n].values()}
        assert all(reason.startswith("extractor unavailable: ") for reason in reasons), reasons

        os.kill(redis.server.pid, signal.SIGKILL)
        assert statuses(await send(next_posts(20, 0))) == Counter(unavailable=40)

        start_redis(redis.port)
        await asyncio.to_thread(triton.start)
        async with asyncio.timeout(60):
            picture_number = 40
            while statuses(await send(next_posts(1, picture_number))) != Counter(used=2):
                picture_number += 1
        assert statuses(await send(next_posts(20, 0))) == Counter(used=40)
    assert stream.workers[0].poll() is None
    letters = await stream.read("deadletters", lambda found: True)
    assert letters == []


async def test_a_route_that_waits_for_triton_gets_every_picture_and_says_that_it_waits(
    seeing: Callable[..., Deployment], triton: Triton, redis_url: str, pictures: Server
) -> None:
    (port,) = free_ports(1)
    stream = seeing(
        triton,
        redis_url,
        **{
            "routes": '[{primary="seer", look="always", unavailable="wait"}]',
            "limits.in_flight": "20",
            "health.listen": f"127.0.0.1:{port}",
        },
    )
    triton.kill()
    urls = {n: pictures.url(f"/{n}") for n in range(50)}
    await stream.send(posts(urls))
    stream.start_worker()

    def health() -> dict[str, Any]:
        try:
            with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)
        except OSError:
            return {"state": "not there yet"}

    async with asyncio.timeout(60):
        while (said := await asyncio.to_thread(health))["state"] != "paused":
            await asyncio.sleep(0.05)
    assert "posts wait for an extractor" in said["reason"]
    assert await stream.read("entities", lambda _: True) == []
    await asyncio.to_thread(triton.start)
    assert statuses(await visuals(stream, set(urls))) == Counter(used=100)


def statuses(seen: Mapping[int, Mapping[str, Any]]) -> Counter[str]:
    return Counter(use["status"] for uses in seen.values() for use in uses.values())
