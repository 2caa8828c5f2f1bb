"""How much waits for the shadows: one that is too slow misses posts and holds up none."""

from __future__ import annotations

import logging
from collections import Counter
from time import monotonic
from typing import Final

from streamproc.fusion.tagger import Tagger
from streamproc.telemetry import Counts

_TOLD_EVERY_S: Final = 30.0

logger = logging.getLogger(__name__)


class Shadows:
    """Bounds the posts that wait for each shadow.

    Args:
        limit: posts that one shadow was given and has not ended with.
        counts: where dropped ones are counted.
    """

    def __init__(self, limit: int, counts: Counts) -> None:
        self._limit = limit
        self._counts = counts
        self._waiting: Counter[Tagger] = Counter()
        self._dropped: Counter[Tagger] = Counter()
        self._told: dict[Tagger, float] = {}

    def admit(self, tagger: Tagger) -> bool:
        """Whether the shadow is given one more post; `leave` tells that it has ended with it."""
        if self._waiting[tagger] < self._limit:
            self._waiting[tagger] += 1
            return True
        self._counts.shadow_dropped += 1
        self._dropped[tagger] += 1
        self._tell(tagger)
        return False

    def leave(self, tagger: Tagger) -> None:
        """The shadow has ended with a post."""
        self._waiting[tagger] -= 1

    def _tell(self, tagger: Tagger) -> None:
        now = monotonic()
        if now - self._told.get(tagger, -_TOLD_EVERY_S) < _TOLD_EVERY_S:
            return
        self._told[tagger] = now
        logger.warning(
            "shadow %r is too slow: %d posts wait for it, it missed %d so far (limits.shadow_posts)",
            tagger.info.name, self._waiting[tagger], self._dropped[tagger],
        )  # fmt: skip
