"""Lookers for tests, and a server with the pictures that they look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamproc.vision.api import Cache, Extractor
from streamproc.vision.cache import MemoryCache
from streamproc.vision.fetch import Fetcher, FetchLimits
from streamproc.vision.look import Looker
from tests.vision.http_server import Request, Server, http_server
from tests.vision.pictures import gradient, saved

MakeLooker = Callable[..., Looker]
SMALL = saved(gradient(10, 20))
LARGE = saved(gradient(30, 40))
BROKEN = SMALL[:-30]


@pytest.fixture
async def make_looker() -> AsyncIterator[MakeLooker]:
    made: list[Looker] = []

    def make(*extractors: Extractor, cache: Cache | None = None, **options: Any) -> Looker:
        limits = FetchLimits(allow_private=True, max_bytes=100_000)
        by_modality = {extractor.modality: extractor for extractor in extractors}
        looker = Looker(Fetcher(limits), cache or MemoryCache(1_000_000), by_modality, **options)
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
