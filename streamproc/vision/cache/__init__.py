"""What remembers what was seen: in this process, or in a Redis that all workers share."""

from __future__ import annotations

from typing import Final

from streamproc.vision.api import Cache
from streamproc.vision.cache.memory import MemoryStore
from streamproc.vision.cache.store import Store
from streamproc.vision.cache.visual import VisualCache

__all__ = ["MemoryStore", "Store", "VisualCache", "open_cache"]

_PATIENCE: Final = 4
"""A batch of commands may take so many times what one answer may."""


def open_cache(
    url: str | None = None,
    *,
    ttl_s: float = 7 * 24 * 3600,
    failure_ttl_s: float = 60.0,
    max_bytes: int = 64 * 1024 * 1024,
    max_value_bytes: int = 8 * 1024 * 1024,
    timeout_s: float = 0.5,
    lease_s: float = 3.0,
) -> Cache:
    """The cache that a setting names; connects at its first use.

    Args:
        url: `memory://` or nothing; or a Redis, in a form that `streamproc.vision.cache.connecting` lists.
        ttl_s: how long what was seen is kept, and where URLs led.
        failure_ttl_s: how long a failure is kept.
        max_bytes: bound of the memory of `memory://`.
        max_value_bytes: what is larger, encoded, is neither kept nor fetched.
        timeout_s: for connecting to Redis and for each of its answers.
        lease_s: how long other workers wait for one that died while it looked.

    Raises:
        SettingsError: another kind of URL, or one that cannot be read.
    """
    store = _open_store(url or "memory://", max_bytes, max_value_bytes, timeout_s, lease_s)
    return VisualCache(store, ttl_s=ttl_s, failure_ttl_s=failure_ttl_s, max_value_bytes=max_value_bytes)


def _open_store(url: str, max_bytes: int, max_value_bytes: int, timeout_s: float, lease_s: float) -> Store:
    if url == "memory://":
        return MemoryStore(max_bytes)
    # Not at the top: who remembers in this process does without the client.
    from redis.asyncio import RedisCluster

    from streamproc.vision.cache.connecting import connect
    from streamproc.vision.cache.redis import ClusterStore, RedisStore

    client = connect(url, timeout_s)
    kind = ClusterStore if isinstance(client, RedisCluster) else RedisStore
    return kind(client, max_value_bytes=max_value_bytes, lease_s=lease_s, deadline_s=_PATIENCE * timeout_s)
