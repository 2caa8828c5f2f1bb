"""The cache of a look, over a store of bytes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from streamproc.vision.api import CacheCounts, Outcome, Recalled, UrlEntry
from streamproc.vision.cache.store import Store, picture_key, url_key
from streamproc.vision.codec import decode, decode_entry, encode, encode_entry
from streamproc.vision.failures import Failure

logger = logging.getLogger(__name__)

_JITTER: Final = 0.1
_QUICK_BYTES: Final = 64 * 1024
_ASK_AGAIN_S: Final = (0.02, 0.2)


class VisualCache:
    """Remembers outcomes by the picture's digest and a name, and where URLs led.

    Args:
        store: where the bytes are; closed with the cache.
        ttl_s: how long values and URLs are kept, give or take a tenth, so that what was put together
            does not go together.
        failure_ttl_s: the same for failures.
        max_value_bytes: what is larger, encoded, is not kept.
    """

    def __init__(self, store: Store, *, ttl_s: float, failure_ttl_s: float, max_value_bytes: int) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._failure_ttl_s = failure_ttl_s
        self._max_value_bytes = max_value_bytes

    @property
    def counts(self) -> CacheCounts:
        """What it did so far. A URL that is not known is no miss: no outcome was asked for yet."""
        return self._store.counts

    async def recall(self, url: str, names: Sequence[str]) -> Recalled:
        """What is known of a URL and its picture; one round trip, shared with who asks meanwhile."""
        key = url_key(url)
        data, found = await self._store.follow(key, names)
        if data is None:
            return Recalled()
        try:
            entry = decode_entry(data)
        except ValueError as error:
            await self._delete(key, error)
            return Recalled()
        if entry.digest is None:
            return Recalled(entry)
        return Recalled(entry, await self._read(entry.digest, names, found))

    async def get(self, digest: str, names: Sequence[str]) -> dict[str, Outcome]:
        """What is known of a picture, by name; one round trip."""
        if not names:
            return {}
        found = await self._store.get([picture_key(digest, name) for name in names])
        return await self._read(digest, names, found)

    async def put(self, digest: str, name: str, outcome: Outcome) -> None:
        """Remember what a picture gave; failures for a short time only."""
        key = picture_key(digest, name)
        try:
            data = await asyncio.to_thread(encode, outcome)
        except ValueError as error:
            self._not_kept(key, error)
        else:
            await self._put(key, data, isinstance(outcome, Failure))

    async def put_url(self, url: str, entry: UrlEntry) -> None:
        """Remember where a URL led; failures for a short time only."""
        key = url_key(url)
        try:
            data = encode_entry(entry)
        except ValueError as error:
            self._not_kept(key, error)
        else:
            await self._put(key, data, entry.failure is not None)

    def turn(self, digest: str, name: str) -> AbstractAsyncContextManager[Outcome | None]:
        """Wait until no other worker looks at this picture for this name."""
        return self._turn(digest, name)

    async def close(self) -> None:
        """Give back what the store holds."""
        await self._store.close()

    @asynccontextmanager
    async def _turn(self, digest: str, name: str) -> AsyncIterator[Outcome | None]:
        waited = False
        while True:
            claim = await self._store.claim(digest, name)
            if claim is None:
                self.counts.waited += not waited
                waited = True
                await asyncio.sleep(random.uniform(*_ASK_AGAIN_S))
            elif isinstance(claim, bytes):
                outcomes = await self._decode(digest, {name: claim})
                if outcomes:
                    yield outcomes[name]
                    return
            else:
                async with claim:
                    yield None
                return

    async def _read(
        self, digest: str, names: Sequence[str], found: Sequence[bytes | None]
    ) -> dict[str, Outcome]:
        """Decode what was found, and count."""
        stored = {name: data for name, data in zip(names, found, strict=True) if data is not None}
        outcomes = await self._decode(digest, stored)
        self.counts.hits += len(outcomes)
        self.counts.misses += len(names) - len(outcomes)
        return outcomes

    async def _decode(self, digest: str, stored: Mapping[str, bytes]) -> dict[str, Outcome]:
        """The outcomes that can be read; the others are deleted."""
        if sum(map(len, stored.values())) <= _QUICK_BYTES:
            outcomes, unreadable = _decode_all(stored)
        else:
            outcomes, unreadable = await asyncio.to_thread(_decode_all, stored)
        for name, error in unreadable.items():
            await self._delete(picture_key(digest, name), error)
        return outcomes

    async def _delete(self, key: str, error: ValueError) -> None:
        self.counts.unreadable += 1
        logger.warning("cache: %s cannot be read and is deleted: %s", key, type(error).__name__)
        await self._store.delete(key)

    def _not_kept(self, key: str, error: ValueError) -> None:
        self.counts.errors += 1
        logger.warning("cache: what belongs to %s is not kept: %s", key, error)

    async def _put(self, key: str, data: bytes, failure: bool) -> None:
        if len(data) > self._max_value_bytes:
            self.counts.too_large += 1
            return
        seconds = self._failure_ttl_s if failure else self._ttl_s
        await self._store.put(key, data, seconds * random.uniform(1 - _JITTER, 1 + _JITTER))


def _decode_all(stored: Mapping[str, bytes]) -> tuple[dict[str, Outcome], dict[str, ValueError]]:
    """The outcomes, and what is wrong with those that cannot be read."""
    outcomes: dict[str, Outcome] = {}
    unreadable = {}
    for name, data in stored.items():
        try:
            outcomes[name] = decode(data)
        except ValueError as error:
            unreadable[name] = error
    return outcomes, unreadable
