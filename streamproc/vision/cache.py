"""What remembers visual values: in this process, or in a Redis that all workers share."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streamproc.errors import SettingsError
from streamproc.vision.api import Cache
from streamproc.vision.codec import decode, encode, weight
from streamproc.vision.visuals import Value

logger = logging.getLogger(__name__)

_PREFIX: Final = "streamproc:visual:"
_JITTER: Final = 0.1


class MemoryCache:
    """Remembers in this process; forgets the least recently used.

    Args:
        max_bytes: about how much memory the values may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()

    async def get(self, keys: Sequence[str]) -> list[Value | None]:
        """What is known, `None` for what is not."""
        found: list[Value | None] = []
        for key in keys:
            value, _ = self._values.get(key, (None, 0))
            if value is not None:
                self._values.move_to_end(key)
            found.append(value)
        return found

    async def put(self, values: dict[str, Value]) -> None:
        """Remember these, except one that alone is larger than the whole cache may be."""
        for key, value in values.items():
            self._drop(key)
            size = len(key) + weight(value)
            if size <= self._max_bytes:
                self._values[key] = value, size
                self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._values)))

    async def close(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._bytes = 0

    def _drop(self, key: str) -> None:
        _, size = self._values.pop(key, (None, 0))
        self._bytes -= size


class RedisCache:
    """Remembers in Redis. While Redis is away it knows nothing, says so once, and comes back by itself.

    Args:
        redis: the client; closed with the cache.
        ttl_s: how long a value is kept, give or take a tenth, so that what was put together does
            not go together.
        pause_s: after a failure, how long Redis is not asked: a look should not wait for a
            connection that will not come.
    """

    def __init__(self, redis: Redis, *, ttl_s: float, pause_s: float = 1.0) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._pause_s = pause_s
        self._away = False
        self._ask_again_at = 0.0

    async def get(self, keys: Sequence[str]) -> list[Value | None]:
        """What is known, `None` for what is not; one round trip."""
        nothing: list[Value | None] = [None] * len(keys)
        if not keys or monotonic() < self._ask_again_at:
            return nothing
        try:
            stored = await self._redis.mget([_PREFIX + key for key in keys])
        except (RedisError, OSError) as error:
            self._failed(error)
            return nothing
        self._answered()
        values, unreadable = await asyncio.to_thread(_decode_all, keys, stored)
        if unreadable:
            await self._delete(unreadable)
        return values

    async def put(self, values: dict[str, Value]) -> None:
        """Remember these; one round trip."""
        if not values or monotonic() < self._ask_again_at:
            return
        stored = await asyncio.to_thread(lambda: {key: encode(value) for key, value in values.items()})
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, data in stored.items():
                    pipeline.set(_PREFIX + key, data, px=self._lifetime_ms())
                await pipeline.execute()
        except (RedisError, OSError) as error:
            self._failed(error)
        else:
            self._answered()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _delete(self, keys: Sequence[str]) -> None:
        logger.warning("cache: %d values cannot be read and are deleted, %s first", len(keys), keys[0])
        try:
            await self._redis.delete(*(_PREFIX + key for key in keys))
        except (RedisError, OSError) as error:
            self._failed(error)

    def _lifetime_ms(self) -> int:
        return max(1, round(1000 * self._ttl_s * random.uniform(1 - _JITTER, 1 + _JITTER)))

    def _failed(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            logger.warning("cache: Redis is away, going on without it: %s", error)
        self._ask_again_at = monotonic() + self._pause_s

    def _answered(self) -> None:
        if self._away:
            self._away = False
            logger.info("cache: Redis is back")


def open_cache(
    url: str | None,
    *,
    ttl_s: float = 7 * 24 * 3600,
    max_bytes: int = 64 * 1024 * 1024,
    timeout_s: float = 0.5,
) -> Cache:
    """The cache that a setting names; connects at its first use.

    Args:
        url: `memory://` or nothing, `redis://HOST:PORT/DB`, or `rediss://` for TLS.
        ttl_s: how long Redis keeps a value.
        max_bytes: bound of the memory of `memory://`.
        timeout_s: for connecting to Redis and for each of its answers.

    Raises:
        SettingsError: another kind of URL, or one that cannot be read.
    """
    url = url or "memory://"
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in {"memory", "redis", "rediss"}:
        told = f"{scheme}://" if separator else scheme
        raise SettingsError(f"vision.cache: expected memory://, redis:// or rediss://, got {told}")
    if scheme == "memory":
        return MemoryCache(max_bytes)
    try:
        redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # One more try at once: after a restart of Redis, pooled connections are dead.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise SettingsError(f"vision.cache: {error}") from None
    return RedisCache(redis, ttl_s=ttl_s)


def _decode_all(
    keys: Sequence[str], stored: Sequence[bytes | str | None]
) -> tuple[list[Value | None], list[str]]:
    """The values, and the keys of those that cannot be read: they count as not known."""
    values: list[Value | None] = []
    unreadable = []
    for key, data in zip(keys, stored, strict=True):
        value = None
        if isinstance(data, bytes):
            try:
                value = decode(data)
            except ValueError:
                unreadable.append(key)
        values.append(value)
    return values, unreadable
