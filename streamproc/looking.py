"""Looks at the pictures of posts, and does what a post's route says when nobody can look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

from streamproc.errors import PicturesUnavailable
from streamproc.jobs import Call, milliseconds_since
from streamproc.telemetry import Counts
from streamproc.vision.api import Looking
from streamproc.vision.visuals import Missing, Modality, Seen, Visual

logger = logging.getLogger(__name__)

TRY_S = 1.0
"""How often it is found out whether an extractor is back. The extractor itself is asked more seldom."""


class Looks:
    """Looks for the pipeline.

    Args:
        looker: looks at pictures.
        counts: where it is counted.
        paused: told why posts wait for an extractor, once some do, and `None` once none does.
    """

    def __init__(self, looker: Looking, counts: Counts, paused: Callable[[str | None], object]) -> None:
        self.looker = looker
        self._counts = counts
        self._paused = paused
        self._waiting = 0
        self._came_back = 0
        self._next_try: dict[frozenset[Modality], float] = {}

    async def look(self, call: Call) -> bool:
        """Look at the post's pictures for what its plugin can use; whether anything was seen.

        With `unavailable = "wait"` it returns when everybody could be asked, or when the post belongs to
        another worker; with `dead-letter` the call's result may be `PicturesUnavailable`.
        """
        start = monotonic()
        self._counts.looked += 1
        wanted = call.known.to_look
        seen = await self._see(call, wanted)
        if (reason := _away(seen)) is not None:
            if call.unavailable == "wait":
                seen = await self._wait(call, wanted, seen, reason)
            elif call.unavailable == "dead-letter":
                call.result = PicturesUnavailable(f"{reason}: replay it when the extractor is back")
        call.saw(seen)
        call.look_ms = milliseconds_since(start)
        return any(isinstance(visual, Seen) for visual in seen.values())

    async def _see(self, call: Call, wanted: tuple[Modality, ...]) -> dict[Modality, Visual]:
        try:
            return await self.looker.look(
                call.post.picture_urls(), wanted, widths=call.tagger.widths, show=call.job.explain
            )
        except Exception as error:
            logger.exception("look failed at %s-%d:%d", *call.job.place)
            return dict.fromkeys(wanted, Missing("unavailable", f"look failed: {type(error).__name__}"))

    async def _wait(
        self, call: Call, wanted: tuple[Modality, ...], seen: dict[Modality, Visual], reason: str
    ) -> dict[Modality, Visual]:
        """Look again now and then, until nobody is away. Of those who wait for the same, one tries."""
        same = frozenset(wanted)
        if not self._waiting:
            logger.warning("posts wait until they can be looked at (unavailable = wait): %s", reason)
        self._waiting += 1
        self._counts.waited += 1
        self._paused(f"posts wait for an extractor: {reason}")
        try:
            while _away(seen) is not None and not call.job.batch.revoked:
                came_back = self._came_back
                await asyncio.sleep(TRY_S)
                if came_back == self._came_back and monotonic() < self._next_try.get(same, 0.0):
                    continue
                self._next_try[same] = inf
                try:
                    seen = await self._see(call, wanted)
                finally:
                    self._next_try[same] = monotonic() + TRY_S
                self._came_back += _away(seen) is None
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._paused(None)
        return seen


def _away(seen: Mapping[Modality, Visual]) -> str | None:
    """Why something was not looked at that may be later."""
    return next((visual.away for visual in seen.values() if visual.away is not None), None)
