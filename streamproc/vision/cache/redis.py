"""A store in Redis, shared by all workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from streamproc.vision.api import CacheCounts
from streamproc.vision.cache.lease import Lease
from streamproc.vision.cache.line import Client, Line, Script
from streamproc.vision.cache.store import PICTURE, Claim, lease_key, picture_key
from streamproc.vision.codec import leads_to

# MGET instead of GET: another type of value under a key is then unknown, and no error.
_FOLLOW: Final = Script(
    f"""
local entry = redis.call('MGET', KEYS[1])[1]
if not entry then return {{}} end
if #ARGV == 0 then return {{entry}} end
local readable, known = pcall(cjson.decode, entry)
if not readable or type(known) ~= 'table' or type(known.digest) ~= 'string' then return {{entry}} end
local keys = {{}}
for i, name in ipairs(ARGV) do keys[i] = '{PICTURE}{{' .. known.digest .. '}}:' .. name end
local found = redis.call('MGET', unpack(keys))
table.insert(found, 1, entry)
return found
"""
)
_CLAIM: Final = Script(
    """
local known = redis.call('MGET', KEYS[1], KEYS[2])
if known[1] then return known[1] end
if known[2] and known[2] ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""
)
_BUSY: Final = 0


class RedisStore:
    """Keeps bytes in one Redis, or in the master that a Sentinel names.

    Args:
        client: closed with the store.
        lease_s: how long others wait for a worker that died while it looked.
        pause_s: after a failure, how long Redis is not asked.
        deadline_s: for one batch of commands.
    """

    def __init__(
        self, client: Client, *, lease_s: float = 3.0, pause_s: float = 1.0, deadline_s: float = 2.0
    ) -> None:
        self.counts = CacheCounts()
        self._line = Line(client, self.counts, pause_s=pause_s, deadline_s=deadline_s)
        self._lease_ms = max(1, round(1000 * lease_s))

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """What is under the key `link`, and the outcomes with these names of the picture it leads to."""
        entry, *found = await self._line.run(_FOLLOW, [link], *names) or [None]
        return entry, found or [None] * len(names)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is under keys of one picture, `None` for what is not known."""
        return await self._line.ask("MGET", *keys) or [None] * len(keys)

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
        answer = await self._line.run(_CLAIM, keys, token, self._lease_ms)
        if isinstance(answer, bytes):
            return answer
        return None if answer == _BUSY else Lease(self._line, keys[1], token, self._lease_ms)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()


class ClusterStore(RedisStore):
    """Keeps bytes in a Redis Cluster, where no script may go from a URL's slot to its picture's."""

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """As above, in two round trips."""
        (entry,) = await self.get([link])
        digest = leads_to(entry) if entry is not None else None
        if digest is None or not names:
            return entry, [None] * len(names)
        return entry, await self.get([picture_key(digest, name) for name in names])
