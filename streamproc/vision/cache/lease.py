"""A worker's turn to look: a key in Redis that goes by itself if the worker does."""

from __future__ import annotations

import asyncio
from typing import Final

from streamproc.vision.cache.line import Line, Script

_RENEW = Script(
    """
local holder = redis.call('MGET', KEYS[1])[1]
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
_RELEASE = Script(
    """
if redis.call('MGET', KEYS[1])[1] == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
)
_RENEWALS: Final = 3


class Lease:
    """Holds a key for as long as the context lasts.

    Args:
        line: to Redis.
        key: what is held.
        token: says that it is held by this one.
        lease_ms: how long others wait after this process died.
    """

    def __init__(self, line: Line, key: str, token: str, lease_ms: int) -> None:
        self._line = line
        self._key = key
        self._token = token
        self._lease_ms = lease_ms
        self._over = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._renewing is not None:
            # Not cancelled: a renewal on its way would take the key again after its release.
            await self._renewing
        await self._line.run(_RELEASE, [self._key], self._token)

    async def _renew(self) -> None:
        """Until it is over, or another holds the key: a process that stood still may lose it."""
        held = True
        while held:
            try:
                async with asyncio.timeout(self._lease_ms / 1000 / _RENEWALS):
                    await self._over.wait()
                return
            except TimeoutError:
                held = await self._line.run(_RENEW, [self._key], self._token, self._lease_ms) != 0
