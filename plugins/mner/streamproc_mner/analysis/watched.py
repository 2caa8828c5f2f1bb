"""A file of posts whose pictures may be looked at or not, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamproc_mner.analysis.look_curves import Sweep, sweep
from streamproc_mner.analysis.looking import Looks
from streamproc_mner.evaluation.significance import Counts


@dataclass(frozen=True, slots=True)
class Costs:
    """What a post and a picture cost.

    Attributes:
        tag_ms: of tagging one post, in milliseconds.
        look_ms: of looking at one picture.
    """

    tag_ms: float
    look_ms: float

    def looking_first(self, looks: float) -> float:
        """Milliseconds a post with so many looks a post that come before tagging: always, never."""
        return self.tag_ms + self.look_ms * looks

    def looking_second(self, looks: float) -> float:
        """The same where the text is tagged first: a post that is looked at is tagged twice."""
        return self.tag_ms + (self.look_ms + self.tag_ms) * looks


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A file of posts under a model, and the curve of its thresholds."""

    name: str
    looks: Looks
    sweep: Sweep

    @classmethod
    def of(cls, name: str, looks: Looks) -> Watched:
        """The curve of what was measured on a file."""
        return cls(name, looks, sweep(looks))

    @property
    def pictures(self) -> int:
        """How many there are to look at."""
        return len(self.looks.pictured)

    def never(self) -> Counts:
        """(n, 3) without any look."""
        return self.looks.without

    def always(self) -> Counts:
        """(n, 3) with all looks."""
        return self.looks.counts(np.ones(self.pictures, bool))

    def uncertain(self, threshold: float) -> Counts:
        """(n, 3) with the looks of `uncertain(threshold)`."""
        return self.looks.counts(self.looks.at(threshold))
