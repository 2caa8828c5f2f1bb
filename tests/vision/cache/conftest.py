"""Caches over every kind of store, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from streamproc.vision.cache import VisualCache, open_cache

OpenCache = Callable[..., VisualCache]


@pytest.fixture
async def opened() -> AsyncIterator[OpenCache]:
    """`opened(url, ttl_s=..., ...)`: a cache that is closed after the test."""
    caches: list[VisualCache] = []

    def make(url: str | None = None, **options: Any) -> VisualCache:
        cache = open_cache(url, **{"timeout_s": 5.0} | options)
        assert isinstance(cache, VisualCache)
        caches.append(cache)
        return cache

    yield make
    for cache in caches:
        await cache.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client that sees what is really there."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def digest() -> str:
    """Of a picture that nobody else has."""
    return uuid4().hex * 2


@pytest.fixture
def url() -> str:
    """Of a picture that nobody else has."""
    return f"https://pictures.example/{uuid4()}.jpg"
