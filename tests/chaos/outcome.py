"""What a scenario came to, and which guarantees hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a scenario may cost; posts are never lost.

    Attributes:
        repeats: whether posts may come out twice. One that is committed never may, but
        zombies: of a worker that was stopped and goes on, which has to find out first.
        exits: whether workers may end by themselves, to be started again.
        too_large: whether tagged posts may be refused by their topic, and are dead letters then.
    """

    repeats: bool = True
    zombies: bool = False
    exits: bool = False
    too_large: bool = False


AT_LEAST_ONCE: Final = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A scenario's end.

    Attributes:
        name: the scenario's.
        times: how often the fault befell.
        posts: messages in the topic `posts`.
        entities: of them that came out tagged.
        letters: of them that are dead letters.
        skipped: of them that a rule skips.
        lost: of them that came out nowhere, and messages that Kafka took and that are not in `posts`.
        wrong: of them that came out where they should not, with other content, or in both topics; and
            what came out of nothing.
        duplicates: messages that came out once more, with their idempotency key.
        different: duplicates that are not the same as the first.
        repeated_late: duplicates that came out when their offset was committed already.
        overtaken: older revisions that came out for the first time behind a newer one of their entity key.
        stale: entity keys whose last message is not their newest revision.
        went_back: commits below an earlier one.
        recover_s: from each end of a fault to the next commit that moves.
        lag: at the end.
        exits: last words of workers that ended by themselves.
        stopped: why the scenario could not be played to its end.
    """

    name: str
    times: int
    posts: int = 0
    entities: int = 0
    letters: int = 0
    skipped: int = 0
    lost: int = 0
    wrong: int = 0
    duplicates: int = 0
    different: int = 0
    repeated_late: int = 0
    overtaken: int = 0
    stale: int = 0
    went_back: int = 0
    recover_s: Sequence[float] = ()
    lag: int = 0
    exits: Sequence[str] = ()
    stopped: str = ""
    seconds: float = 0.0
    notes: Sequence[str] = field(default=())

    def broken(self, bounds: Bounds) -> list[str]:
        """The guarantees that do not hold, in words."""
        never = {
            "lost": self.lost,
            "wrong": self.wrong,
            "different from their first copy": self.different,
            "overtaken": self.overtaken,
            "commits that went back": self.went_back,
            "lag": self.lag,
            "repeated": 0 if bounds.repeats else self.duplicates,
            "repeated although committed": 0 if bounds.zombies else self.repeated_late,
            "keys whose newest revision is not the last": 0 if bounds.zombies else self.stale,
            "unasked ends of workers": 0 if bounds.exits else len(self.exits),
        }
        found = [f"{what}: {number}" for what, number in never.items() if number]
        return [*found, *self.exits[: 0 if bounds.exits else 3], *filter(None, [self.stopped])]

    @property
    def recovery(self) -> str:
        """Median and maximum, in seconds."""
        if not self.recover_s:
            return "–"
        middle, worst = median(self.recover_s), max(self.recover_s)
        return f"{worst:.1f}" if len(self.recover_s) == 1 else f"{middle:.1f} / {worst:.1f}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Outcome:
        return cls(**given)
