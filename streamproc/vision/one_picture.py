"""Looking at one picture: recall → fetch → sha256 → recall → (miss) sandbox → extract → remember."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import time
from typing import Any, Final, TypeAlias, TypeVar

from streamproc.errors import (
    ExtractorUnavailable,
    FetchFailed,
    PictureError,
    PictureTooLarge,
    UndecodablePicture,
)
from streamproc.vision.api import Cache, Extractor, Outcome, Picture, Recalled, UrlEntry
from streamproc.vision.counts import LookCounts, totals
from streamproc.vision.failures import Failure
from streamproc.vision.fetching.fetch import Fetched, Fetcher, NotModified
from streamproc.vision.flights import SingleFlight
from streamproc.vision.sandbox.decode import digest_of
from streamproc.vision.sandbox.pool import Sandbox
from streamproc.vision.thumbnail import thumbnail_of
from streamproc.vision.visuals import Thumbnail
from streamproc.vision.wanted import Want, is_sound, nobody_would_look

T = TypeVar("T")
Open: TypeAlias = Callable[[], Awaitable[Picture | Failure]]
"""Gives the safe picture; asked by several, it is made once."""

_LASTING: Final = frozenset({"http", "https"})
"""A URL of another scheme names another picture in another place: where it led is not remembered."""
_LASTING_FAILURES: Final = (FetchFailed, PictureTooLarge, UndecodablePicture)
"""What the picture or its server did; what this worker refuses or lacks is not told to others."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one picture gave, and a small copy of it where one was asked for and could be made."""

    outcomes: Mapping[str, Outcome]
    thumbnail: Thumbnail | None = None


class PictureLooker:
    """Looks at one picture at a time for everybody who asks.

    A picture is looked at once, however many ask for it at the same moment (single flight, here and
    over all workers) or later (cache).

    Args:
        fetcher: fetches pictures.
        sandbox: decodes them.
        cache: remembers outcomes.
        concurrency: how many pictures are fetched and looked at at once; bounds the memory that
            they take. Further ones wait their turn, so that a queue slows posts down and does not
            cost them their pictures. What the cache knows needs no turn.
        deadline_s: time for one picture from the moment it has its turn.
        url_ttl_s: how long a URL is taken to lead where it led, without asking its server again.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        sandbox: Sandbox,
        cache: Cache,
        *,
        concurrency: int = 8,
        deadline_s: float = 30.0,
        url_ttl_s: float = 3600.0,
    ) -> None:
        self.counts = LookCounts()
        self.fetcher = fetcher
        self.sandbox = sandbox
        self.cache = cache
        self._deadline_s = deadline_s
        self._url_ttl_s = url_ttl_s
        self._turns = asyncio.Semaphore(concurrency)
        self._flights = SingleFlight()
        self._opened = f"opened:{sandbox.version}"
        """The name under which pictures that cannot be decoded are remembered."""

    async def look(self, url: str, wanted: Mapping[str, Extractor], show: bool) -> Looked:
        """What one picture gives for each extractor, by its key; `show` asks for a thumbnail too.

        Raises nothing for pictures, caches or extractors.
        """
        names = tuple(extractor.name for extractor in wanted.values())
        return await self._join(("look", url, names, show), partial(self._look_at, url, wanted, show))

    def totals(self) -> dict[str, int]:
        """What was done since the start of this process, cache and decoders included, by name."""
        return totals(self.counts, self.cache.counts, self.sandbox.counts)

    async def close(self) -> None:
        """Give up looks that are under way and close all parts."""
        await self._flights.close()
        await self.fetcher.close()
        await self.sandbox.close()
        await self.cache.close()

    async def _look_at(self, url: str, wanted: Mapping[str, Extractor], show: bool) -> Looked:
        """What is known of a picture; what is not, when it has its turn."""
        wants, outcomes = await self._name(wanted)
        if not wants:
            return Looked(outcomes)
        recalled = await self._recall(url, wants)
        entry = recalled.entry
        fresh = entry is not None and time() < entry.checked + self._url_ttl_s
        known = self._known(recalled.outcomes, wants)
        if fresh and entry is not None and entry.failure is not None:
            self._count_remembered(known)
            return Looked(outcomes | dict.fromkeys(wants, entry.failure) | known)
        if not show and (away := nobody_would_look(wants, known, fresh)) is not None:
            self._count_remembered(known)
            return Looked(outcomes | known | away)
        try:
            async with self._turns, asyncio.timeout(self._deadline_s):
                looked = await self._fetch_and_look(url, wants, entry, known, show)
        except TimeoutError:
            slow = Failure.of(ExtractorUnavailable(f"looking took longer than {self._deadline_s:g} s"))
            looked = Looked(dict.fromkeys(wants, slow) | known)
        return replace(looked, outcomes={**outcomes, **looked.outcomes})

    async def _name(self, wanted: Mapping[str, Extractor]) -> tuple[dict[str, Want], dict[str, Outcome]]:
        """By which names outcomes are remembered; and why not, for extractors that cannot be asked."""
        wants: dict[str, Want] = {}
        failed: dict[str, Outcome] = {}

        async def ask(key: str, extractor: Extractor) -> None:
            try:
                wants[key] = Want(extractor, self._name_of(extractor, await extractor.version()))
            except PictureError as error:
                failed[key] = Failure.of(error)

        if len(wanted) == 1:
            await ask(*next(iter(wanted.items())))
        else:
            await asyncio.gather(*(ask(key, extractor) for key, extractor in wanted.items()))
        return {key: wants[key] for key in wanted if key in wants}, failed

    def _name_of(self, extractor: Extractor, version: str) -> str:
        return f"{extractor.name}:{version}:{self.sandbox.version}"

    async def _recall(self, url: str, wants: Mapping[str, Want]) -> Recalled:
        if not _lasts(url):
            return Recalled()
        return await self.cache.recall(url, [*(want.name for want in wants.values()), self._opened])

    def _known(self, outcomes: Mapping[str, Outcome], wants: Mapping[str, Want]) -> dict[str, Outcome]:
        """What is remembered, by key; everything, of a picture that cannot be decoded."""
        broken = outcomes.get(self._opened)
        if isinstance(broken, Failure):
            return dict.fromkeys(wants, broken)
        return {
            key: outcomes[want.name]
            for key, want in wants.items()
            if want.name in outcomes and is_sound(outcomes[want.name], want.extractor)
        }

    def _count_remembered(self, known: Mapping[str, Outcome]) -> None:
        self.counts.remembered += sum(not isinstance(outcome, Failure) for outcome in known.values())

    async def _fetch_and_look(
        self,
        url: str,
        wants: Mapping[str, Want],
        entry: UrlEntry | None,
        known: Mapping[str, Outcome],
        show: bool,
    ) -> Looked:
        complete = len(known) == len(wants) and not show
        fetched = await self._flights.run(
            ("fetch", url, complete), partial(self._fetch, url, entry, ask_if_changed=complete)
        )
        if isinstance(fetched, Failure):
            # What was seen behind this URL before is better than nothing.
            self._count_remembered(known)
            return Looked({**dict.fromkeys(wants, fetched), **known})
        if isinstance(fetched, NotModified):
            self._count_remembered(known)
            return Looked(known)
        digest = await asyncio.to_thread(digest_of, fetched.data)
        await self._remember(
            url, UrlEntry(time(), digest, etag=fetched.etag, last_modified=fetched.last_modified)
        )
        if entry is None or entry.digest != digest:
            names = [*(want.name for want in wants.values()), self._opened]
            known = self._known(await self.cache.get(digest, names), wants)
        self._count_remembered(known)
        return await self._look_into(fetched.data, digest, wants, known, show)

    async def _fetch(
        self, url: str, entry: UrlEntry | None, *, ask_if_changed: bool
    ) -> Fetched | NotModified | Failure:
        try:
            if entry is None or not ask_if_changed:
                answer = await self.fetcher.fetch(url)
            else:
                answer = await self.fetcher.fetch(url, etag=entry.etag, last_modified=entry.last_modified)
        except PictureError as error:
            self.counts.failed += 1
            failure = Failure.of(error)
            if isinstance(error, _LASTING_FAILURES):
                before = entry or UrlEntry(0)
                await self._remember(url, replace(before, checked=time(), failure=failure))
            return failure
        if isinstance(answer, NotModified):
            self.counts.unchanged += 1
            if entry is not None:
                await self._remember(url, replace(entry, checked=time(), failure=None))
        else:
            self.counts.fetched += 1
            self.counts.fetched_bytes += len(answer.data)
        return answer

    async def _remember(self, url: str, entry: UrlEntry) -> None:
        if _lasts(url):
            await self.cache.put_url(url, entry)

    async def _look_into(
        self,
        data: bytes,
        digest: str,
        wants: Mapping[str, Want],
        known: Mapping[str, Outcome],
        show: bool,
    ) -> Looked:
        """What a picture gives for what is not known of it."""
        picture = partial(self._flights.run, ("open", digest), partial(self._open, data, digest))
        async with asyncio.TaskGroup() as tasks:
            looks = {
                key: tasks.create_task(
                    self._join(("value", digest, want.name), partial(self._value, want, digest, picture))
                )
                for key, want in wants.items()
                if key not in known
            }
            copy = tasks.create_task(self._thumbnail(picture)) if show else None
        outcomes = {key: known[key] if key in known else looks[key].result() for key in wants}
        return Looked(outcomes, copy.result() if copy else None)

    async def _value(self, want: Want, digest: str, picture: Open) -> Outcome:
        """Somebody else's, if another worker is looking; else the extractor looks, and the cache learns."""
        async with self.cache.turn(digest, want.name) as known:
            if known is not None and is_sound(known, want.extractor):
                self._count_remembered({want.name: known})
                return known
            opened = await picture()
            if isinstance(opened, Failure):
                return opened
            try:
                extracted = await want.extractor.extract(opened)
            except PictureError as error:
                return Failure.of(error)
            self.counts.extracted += 1
            name = self._name_of(want.extractor, extracted.version)
            await self.cache.put(digest, name, extracted.value)
            return extracted.value

    async def _open(self, data: bytes, digest: str) -> Picture | Failure:
        try:
            return await self.sandbox.open(data)
        except PictureError as error:
            self.counts.failed += 1
            failure = Failure.of(error)
            if isinstance(error, _LASTING_FAILURES):
                await self.cache.put(digest, self._opened, failure)
            return failure

    async def _thumbnail(self, picture: Open) -> Thumbnail | None:
        opened = await picture()
        return None if isinstance(opened, Failure) else await asyncio.to_thread(thumbnail_of, opened)

    async def _join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self.counts.shared += key in self._flights
        return await self._flights.run(key, work)


def _lasts(url: str) -> bool:
    return url.partition(":")[0].lower() in _LASTING
