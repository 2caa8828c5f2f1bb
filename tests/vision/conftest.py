"""Lookers for tests, and a server with the pictures that they look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamproc.vision.api import Cache, Extractor
from streamproc.vision.cache import open_cache
from streamproc.vision.fetching.fetch import Fetcher, FetchLimits
from streamproc.vision.look import Looker
from streamproc.vision.one_picture import PictureLooker
from streamproc.vision.sandbox.decode import DecodeLimits
from tests.vision.extractors import InThreads
from tests.vision.http_server import Request, Server, http_server
from tests.vision.pictures import gradient, saved

MakeLooker = Callable[..., Looker]
SMALL = saved(gradient(10, 20))
LARGE = saved(gradient(30, 40))
BROKEN = SMALL[:-30]


@pytest.fixture
async def make_looker() -> AsyncIterator[MakeLooker]:
    made: list[Looker] = []

    def make(
        *extractors: Extractor,
        cache: Cache | None = None,
        decode_limits: DecodeLimits | None = None,
        max_pictures: int = 4,
        **options: Any,
    ) -> Looker:
        fetcher = Fetcher(FetchLimits(allow_private=True, max_bytes=100_000, per_host_rate=10_000))
        sandbox: Any = InThreads(decode_limits or DecodeLimits())
        pictures = PictureLooker(fetcher, sandbox, cache or open_cache(None), **options)
        looker = Looker(pictures, extractors, max_pictures=max_pictures)
        made.append(looker)
        return looker

    yield make
    for looker in made:
        await looker.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Serves SMALL at every path but `/broken` and `/gone`."""

    async def answer(request: Request) -> None:
        if request.path.startswith("/gone"):
            await request.reply(status="404 Not Found")
        else:
            await request.reply(BROKEN if request.path.startswith("/broken") else SMALL)

    async with http_server(answer) as running:
        yield running
