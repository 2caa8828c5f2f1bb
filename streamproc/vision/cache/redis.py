"""A store in Redis, shared by all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from streamproc.vision.api import CacheCounts
from streamproc.vision.cache.lease import Lease
from streamproc.vision.cache.line import Client, Line, Script
from streamproc.vision.cache.store import PICTURE, Claim, lease_key, picture_key
from streamproc.vision.codec import leads_to

# What others put under our keys is never sent whole: one byte more than is taken tells that it is too
# large. pcall: another type of value is unknown, and no error.
_READ: Final = """
local function read(key)
  local value = redis.pcall('GETRANGE', key, 0, ARGV[1])
  return type(value) == 'string' and value
end
"""
_FOLLOW: Final = Script(
    f"""{_READ}
local entry = read(KEYS[1])
if not entry or #entry > tonumber(ARGV[1]) or #ARGV == 1 then return {{entry}} end
local readable, known = pcall(cjson.decode, entry)
if not readable or type(known) ~= 'table' or type(known.digest) ~= 'string' then return {{entry}} end
local found = {{entry}}
for i = 2, #ARGV do found[i] = read('{PICTURE}{{' .. known.digest .. '}}:' .. ARGV[i]) end
return found
"""
)
# MGET instead of GET: see above.
_CLAIM: Final = Script(
    f"""{_READ}
local known = read(KEYS[1])
if known and #known > 0 and #known <= tonumber(ARGV[1]) then return known end
local holder = redis.call('MGET', KEYS[2])[1]
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""
)
_BUSY: Final = 0


class RedisStore:
    """Keeps bytes in one Redis, or in the master that a Sentinel names.

    Args:
        client: closed with the store.
        max_value_bytes: a value that is larger is not known, and not fetched.
        lease_s: how long others wait for a worker that died while it looked.
        pause_s: after a failure, how long Redis is not asked.
        deadline_s: for one batch of commands.
    """

    def __init__(
        self,
        client: Client,
        *,
        max_value_bytes: int = 8 * 1024 * 1024,
        lease_s: float = 3.0,
        pause_s: float = 1.0,
        deadline_s: float = 2.0,
    ) -> None:
        self.counts = CacheCounts()
        self._line = Line(client, self.counts, pause_s=pause_s, deadline_s=deadline_s)
        self._max_value_bytes = max_value_bytes
        self._lease_ms = max(1, round(1000 * lease_s))

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """What is under the key `link`, and the outcomes with these names of the picture it leads to."""
        answer = await self._line.run(_FOLLOW, [link], self._max_value_bytes, *names)
        entry, *found = self._taken(answer or [None])
        return entry, found or [None] * len(names)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is under keys of one picture, `None` for what is not known."""
        most = self._max_value_bytes
        return self._taken(
            await asyncio.gather(*(self._line.ask("GETRANGE", key, 0, most) for key in keys))
        )

    async def put(self, key: str, data: bytes, seconds: float) -> None:
        """Keep bytes for a time."""
        await self._line.ask("SET", key, data, "PX", max(1, round(1000 * seconds)))

    async def delete(self, key: str) -> None:
        """Forget a key."""
        await self._line.ask("DEL", key)

    async def claim(self, digest: str, name: str) -> Claim:
        """An outcome if it is known, else the turn to look if nobody has it; also while Redis is away."""
        keys = [picture_key(digest, name), lease_key(digest, name)]
        token = uuid4().hex
        answer = await self._line.run(_CLAIM, keys, self._max_value_bytes, token, self._lease_ms)
        if isinstance(answer, bytes):
            return answer
        return None if answer == _BUSY else Lease(self._line, keys[1], token, self._lease_ms)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    def _taken(self, begun: Sequence[bytes | None]) -> list[bytes | None]:
        """Values of which no more was fetched than may be; those that are longer are not known.

        Nor are empty ones: to Redis, a key that is not there is one.
        """
        most = self._max_value_bytes
        self.counts.too_large += sum(value is not None and len(value) > most for value in begun)
        return [value if value and len(value) <= most else None for value in begun]


class ClusterStore(RedisStore):
    """Keeps bytes in a Redis Cluster, where no script may go from a URL's slot to its picture's."""

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """As above, in two round trips."""
        (entry,) = await self.get([link])
        digest = leads_to(entry) if entry is not None else None
        if digest is None or not names:
            return entry, [None] * len(names)
        return entry, await self.get([picture_key(digest, name) for name in names])
