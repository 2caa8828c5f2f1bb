"""Looking at the pictures of a post."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from streamproc.vision.api import Extractor
from streamproc.vision.failures import Failure
from streamproc.vision.one_picture import Looked, PictureLooker
from streamproc.vision.visuals import Missing, Modality, Seen, Value, Visual


class Looker:
    """Looks at the pictures of posts. Owns its parts, and closes them.

    Args:
        pictures: looks at one of them.
        extractors: who sees what.
        max_pictures: how many pictures of one post are looked at, the first ones.
    """

    def __init__(
        self, pictures: PictureLooker, extractors: Sequence[Extractor], *, max_pictures: int = 4
    ) -> None:
        self.pictures = pictures
        self.extractors = tuple(extractors)
        self._max_pictures = max_pictures

    def sees(self, widths: Mapping[Modality, int]) -> Collection[Modality]:
        """What there are extractors for, for a model with vectors of these widths."""
        return {extractor.modality for extractor in self.extractors if _fits(extractor, widths)}

    async def look(
        self,
        urls: Sequence[str],
        modalities: Collection[Modality],
        *,
        widths: Mapping[Modality, int] | None = None,
        show: bool = False,
    ) -> dict[Modality, Visual]:
        """What is to be seen in the pictures of one post, by modality.

        Pictures that cannot be had are left out; a modality that no picture gave is `Missing`
        with the reason of the first. Raises nothing for pictures, caches or extractors.

        Args:
            urls: where the pictures are.
            modalities: what is wanted.
            widths: D of the vectors that are wanted, where a modality has several.
            show: also give thumbnails of the pictures.
        """
        if not urls:
            return dict.fromkeys(modalities, Missing("absent"))
        wanted = self._choose(modalities, widths or {})
        seen: dict[Modality, Visual] = {
            m: Missing("skipped", "no extractor") for m in modalities if m not in wanted
        }
        if wanted:
            first = tuple(dict.fromkeys(urls))[: self._max_pictures]
            if len(first) == 1:
                pictures = [await self.pictures.look(first[0], wanted, show)]
            else:
                async with asyncio.TaskGroup() as tasks:
                    looks = [tasks.create_task(self.pictures.look(url, wanted, show)) for url in first]
                pictures = [look.result() for look in looks]
            seen |= {m: _visual(pictures, m) for m in modalities if m in wanted}
        return seen

    async def close(self) -> None:
        """Give up looks that are under way and close all parts."""
        await self.pictures.close()
        for extractor in self.extractors:
            await extractor.close()

    def _choose(
        self, modalities: Collection[Modality], widths: Mapping[Modality, int]
    ) -> dict[str, Extractor]:
        """Who looks for each modality; the first that fits."""
        chosen: dict[str, Extractor] = {}
        for extractor in self.extractors:
            if extractor.modality in modalities and _fits(extractor, widths):
                chosen.setdefault(extractor.modality, extractor)
        return chosen


def _fits(extractor: Extractor, widths: Mapping[Modality, int]) -> bool:
    wanted = widths.get(extractor.modality)
    return wanted is None or extractor.width is None or wanted == extractor.width


def _visual(pictures: Sequence[Looked], modality: Modality) -> Visual:
    """What the pictures of a post gave together for one modality."""
    values: list[Value] = []
    thumbnails = []
    for picture in pictures:
        outcome = picture.outcomes[modality]
        if not isinstance(outcome, Failure):
            values.append(outcome)
            thumbnails.append(picture.thumbnail)
    failures = [o for picture in pictures if isinstance(o := picture.outcomes[modality], Failure)]
    away = next((failure.reason for failure in failures if failure.away), None)
    if values:
        return Seen(tuple(values), tuple(thumbnails) if any(thumbnails) else (), away)
    return Missing("unavailable", failures[0].reason, away)
