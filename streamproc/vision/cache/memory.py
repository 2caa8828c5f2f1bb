"""A store in this process: bounded, forgets the least recently used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from time import monotonic

from streamproc.vision.api import CacheCounts
from streamproc.vision.cache.store import Claim, picture_key
from streamproc.vision.codec import leads_to


class MemoryStore:
    """Keeps bytes in this process.

    Args:
        max_bytes: bound of all keys and values together.
        clock: seconds that only grow.
    """

    def __init__(self, max_bytes: int, *, clock: Callable[[], float] = monotonic) -> None:
        self.counts = CacheCounts()
        self._max_bytes = max_bytes
        self._clock = clock
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """What is under the key `link`, and the outcomes with these names of the picture it leads to."""
        entry = self._get(link)
        digest = leads_to(entry) if entry is not None else None
        if digest is None:
            return entry, [None] * len(names)
        return entry, [self._get(picture_key(digest, name)) for name in names]

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is under keys, `None` for what is not known."""
        return [self._get(key) for key in keys]

    async def put(self, key: str, data: bytes, seconds: float) -> None:
        """Keep bytes for a time, except what alone is larger than the whole store may be."""
        self._drop(key)
        size = len(key) + len(data)
        if size > self._max_bytes:
            self.counts.too_large += 1
            return
        self._entries[key] = data, self._clock() + seconds
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def delete(self, key: str) -> None:
        """Forget a key."""
        self._drop(key)

    async def claim(self, digest: str, name: str) -> Claim:
        """An outcome if it is known, else the turn to look: no other process asks here."""
        return self._get(picture_key(digest, name)) or nullcontext()

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    def _get(self, key: str) -> bytes | None:
        data, ends = self._entries.get(key, (None, 0.0))
        if data is None:
            return None
        if self._clock() >= ends:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return data

    def _drop(self, key: str) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= len(key) + len(entry[0])
