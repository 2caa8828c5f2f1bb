"""What the pipeline counts. Names are in this one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Totals since the start of this process.

    Every post that was read ends in exactly one of `tagged`, `deleted`, `empty`, `skipped`,
    `dead` or `dropped` (its partition went to another worker, which reads it again).
    """

    read: int = 0
    tagged: int = 0
    deleted: int = 0
    empty: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    entities: int = 0
    looked: int = 0
    waited: int = 0
    tagged_twice: int = 0
    shadow_failed: int = 0
    shadow_dropped: int = 0

    @property
    def finished(self) -> int:
        """Posts that have ended."""
        return (
            self.tagged
            + self.deleted
            + self.empty
            + self.dropped
            + self.skipped.total()
            + self.dead.total()
        )
