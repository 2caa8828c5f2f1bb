"""What looking at pictures came to."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.vision.api import CacheCounts
from streamproc.vision.sandbox.pool import SandboxCounts


@dataclass(slots=True)
class LookCounts:
    """Totals since the start of this process.

    `fetched`: pictures whose bytes came; `unchanged`: those that the server said are the same as
    before. `failed`: pictures that could not be fetched or decoded. `remembered`: values that the
    cache knew. `extracted`: values that an extractor gave. `shared`: how often a look joined one that
    was under way, for a URL or for the same bytes.
    """

    fetched: int = 0
    fetched_bytes: int = 0
    unchanged: int = 0
    failed: int = 0
    remembered: int = 0
    extracted: int = 0
    shared: int = 0


def totals(looks: LookCounts, cache: CacheCounts, sandbox: SandboxCounts) -> dict[str, int]:
    """All counts under names for people."""
    return {
        "fetched": looks.fetched,
        "unchanged": looks.unchanged,
        "failed": looks.failed,
        "looked at": looks.extracted,
        "remembered": looks.remembered,
        "shared": looks.shared,
        "decoders died": sandbox.died + sandbox.timed_out,
        "waited for another worker": cache.waited,
        "cache errors": cache.errors,
        "cache refused": cache.refused + cache.too_large,
        "cache unreadable": cache.unreadable,
        "cache away": int(cache.away),
    }
