"""Looking at a post's pictures: fetch → sha256 → cache → (miss) decode → extract → cache.

A picture is looked at once, however many posts carry it at the same moment (single flight) or
later (cache).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Final, TypeAlias, TypeVar

from streamproc.errors import ExtractorUnavailable, PictureError
from streamproc.vision.api import Cache, Extractor, Picture
from streamproc.vision.decode import DecodeLimits, decode, digest_of
from streamproc.vision.failures import Failure, RecentFailures
from streamproc.vision.fetch import Fetcher
from streamproc.vision.flights import SingleFlight
from streamproc.vision.thumbnail import thumbnail_of
from streamproc.vision.visuals import Missing, Modality, Seen, Thumbnail, Value, Visual

_DECODERS: Final = 2

T = TypeVar("T")
Outcome: TypeAlias = Value | Failure
"""What one picture gave for one modality, or why nothing."""
Recall: TypeAlias = Callable[[], Awaitable[dict[str, Value | None]]]
Decode: TypeAlias = Callable[[], Awaitable[Picture | Failure]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What one picture gave, and a small copy of it where one was asked for and could be made."""

    outcomes: Mapping[Modality, Outcome]
    thumbnail: Thumbnail | None = None


@dataclass(slots=True)
class LookCounts:
    """Totals since the start of this process.

    `fetched`: pictures whose bytes came. `failed`: pictures that could not be fetched or decoded.
    `remembered`: values that the cache knew. `extracted`: values that an extractor gave.
    `shared`: how often a look joined one that was under way, for a URL or for the same bytes.
    """

    fetched: int = 0
    fetched_bytes: int = 0
    failed: int = 0
    remembered: int = 0
    extracted: int = 0
    shared: int = 0


class Looker:
    """Looks at the pictures of posts. Owns its parts, and closes them.

    Args:
        fetcher: fetches pictures.
        cache: remembers values.
        extractors: who looks, by modality.
        decode_limits: how large a picture may be.
        max_pictures: how many pictures of one post are looked at, the first ones.
        concurrency: how many pictures are fetched and looked at at once; bounds the memory that
            they take. Further ones wait their turn, so that a queue slows posts down and does not
            cost them their pictures.
        deadline_s: time for one picture from the moment it has its turn.
        failure_ttl_s: how long a URL that failed, or bytes that cannot be decoded, are not tried
            again.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        cache: Cache,
        extractors: Mapping[Modality, Extractor],
        *,
        decode_limits: DecodeLimits | None = None,
        max_pictures: int = 4,
        concurrency: int = 8,
        deadline_s: float = 30.0,
        failure_ttl_s: float = 60.0,
    ) -> None:
        self.counts = LookCounts()
        self._fetcher = fetcher
        self._cache = cache
        self._extractors = dict(extractors)
        self._decode_limits = decode_limits or DecodeLimits()
        self._max_pictures = max_pictures
        self._deadline_s = deadline_s
        self._turns = asyncio.Semaphore(concurrency)
        self._failures = RecentFailures(failure_ttl_s)
        self._flights = SingleFlight()
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")

    @property
    def modalities(self) -> Collection[Modality]:
        """What there are extractors for."""
        return self._extractors.keys()

    async def look(
        self, urls: Sequence[str], modalities: Collection[Modality], *, show: bool = False
    ) -> dict[Modality, Visual]:
        """What is to be seen in the pictures of one post, by modality.

        Pictures that cannot be had are left out; a modality that no picture gave is `Missing`
        with the reason of the first. Raises nothing for pictures, caches or extractors.

        Args:
            urls: where the pictures are.
            modalities: what is wanted.
            show: also give thumbnails of the pictures.
        """
        if not urls:
            return dict.fromkeys(modalities, Missing("absent"))
        wanted = tuple(m for m in modalities if m in self._extractors)
        seen: dict[Modality, Visual] = {
            m: Missing("skipped", "no extractor") for m in modalities if m not in wanted
        }
        if wanted:
            first = tuple(dict.fromkeys(urls))[: self._max_pictures]
            async with asyncio.TaskGroup() as tasks:
                looks = [tasks.create_task(self._share(url, wanted, show)) for url in first]
            pictures = [look.result() for look in looks]
            seen |= {m: _visual(pictures, m) for m in wanted}
        return seen

    async def close(self) -> None:
        """Give up looks that are under way and close all parts."""
        await self._flights.close()
        await asyncio.to_thread(self._decoders.shutdown, wait=True, cancel_futures=True)
        await self._fetcher.close()
        for extractor in self._extractors.values():
            await extractor.close()
        await self._cache.close()

    # -- one picture -----------------------------------------------------------------------

    async def _share(self, url: str, modalities: tuple[Modality, ...], show: bool) -> Looked:
        """A look at one picture, shared with all who want the same at this moment."""
        name = blake2b(url.encode("utf-8", "surrogatepass")).digest()
        if (failure := self._failures.get(name)) is not None:
            return Looked(dict.fromkeys(modalities, failure))
        work = partial(self._look_at, url, name, modalities, show)
        return await self._join(("look", name, modalities, show), work)

    async def _look_at(self, url: str, name: bytes, modalities: tuple[Modality, ...], show: bool) -> Looked:
        """One picture, when it has its turn."""
        async with self._turns:
            try:
                async with asyncio.timeout(self._deadline_s):
                    data = await self._flights.run(("fetch", name), partial(self._fetch, url, name))
                    if isinstance(data, Failure):
                        return Looked(dict.fromkeys(modalities, data))
                    return await self._values(data, modalities, show)
            except TimeoutError:
                slow = ExtractorUnavailable(f"looking took longer than {self._deadline_s:g} s")
                return Looked(dict.fromkeys(modalities, Failure.of(slow)))

    async def _fetch(self, url: str, name: bytes) -> bytes | Failure:
        try:
            data = await self._fetcher.fetch(url)
        except PictureError as error:
            return self._failed(name, error)
        self.counts.fetched += 1
        self.counts.fetched_bytes += len(data)
        return data

    async def _values(self, data: bytes, modalities: tuple[Modality, ...], show: bool) -> Looked:
        """What a picture gives for each modality."""
        digest = await asyncio.to_thread(digest_of, data)
        if (failure := self._failures.get(digest)) is not None:
            return Looked(dict.fromkeys(modalities, failure))
        keys = {m: f"{m}:{self._extractors[m].version}:{digest}" for m in modalities}
        # One round trip for all of them. It is asked for inside the flights of the values, so that
        # nobody can come between the cache's no and the extractor's answer and look again.
        recall = partial(
            self._flights.run, ("recall", digest, modalities), partial(self._recall, list(keys.values()))
        )
        decode = partial(self._flights.run, ("decode", digest), partial(self._decode, data, digest))
        async with asyncio.TaskGroup() as tasks:
            looks = {
                m: tasks.create_task(self._join(key, partial(self._value, m, key, recall, decode)))
                for m, key in keys.items()
            }
            copy = tasks.create_task(self._thumbnail(decode)) if show else None
        return Looked({m: look.result() for m, look in looks.items()}, copy.result() if copy else None)

    async def _value(self, modality: Modality, key: str, recall: Recall, decode: Decode) -> Outcome:
        """From the cache; else the extractor looks, and the cache learns."""
        known = (await recall()).get(key)
        if known is not None:
            self.counts.remembered += 1
            return known
        picture = await decode()
        if isinstance(picture, Failure):
            return picture
        try:
            (value,) = await self._extractors[modality].extract([picture])
        except PictureError as error:
            return Failure.of(error)
        self.counts.extracted += 1
        await self._cache.put({key: value})
        return value

    async def _thumbnail(self, decode: Decode) -> Thumbnail | None:
        picture = await decode()
        if isinstance(picture, Failure):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._decoders, thumbnail_of, picture)

    async def _recall(self, keys: Sequence[str]) -> dict[str, Value | None]:
        return dict(zip(keys, await self._cache.get(keys), strict=True))

    async def _decode(self, data: bytes, digest: str) -> Picture | Failure:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._decoders, decode, data, self._decode_limits)
        except PictureError as error:
            return self._failed(digest, error)

    def _failed(self, key: Hashable, error: PictureError) -> Failure:
        failure = Failure.of(error)
        self._failures.add(key, failure)
        self.counts.failed += 1
        return failure

    async def _join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self.counts.shared += key in self._flights
        return await self._flights.run(key, work)


def _visual(pictures: Sequence[Looked], modality: Modality) -> Visual:
    """What the pictures of a post gave together for one modality."""
    values: list[Value] = []
    thumbnails = []
    for picture in pictures:
        outcome = picture.outcomes[modality]
        if not isinstance(outcome, Failure):
            values.append(outcome)
            thumbnails.append(picture.thumbnail)
    if values:
        return Seen(tuple(values), tuple(thumbnails) if any(thumbnails) else ())
    first = pictures[0].outcomes[modality]
    return Missing("unavailable", first.reason if isinstance(first, Failure) else None)
