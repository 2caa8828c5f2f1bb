"""One goal, what was reached, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Ratio:
    """One goal: the median over the rounds of a figure of ours ÷ the same of another."""

    what: str
    goal: str
    met: bool
    value: float
    rounds: list[float]

    @classmethod
    def at_most(cls, what: str, goal: float, rounds: Sequence[float]) -> Ratio:
        """A ratio that should not be above a goal."""
        value = median(rounds)
        return cls(what, f"≤ {goal:g}", value <= goal, value, list(rounds))

    @classmethod
    def told_only(cls, what: str, rounds: Sequence[float]) -> Ratio:
        """A ratio without a goal."""
        return cls(what, "-", True, median(rounds), list(rounds))

    @classmethod
    def at_least(cls, what: str, goal: float, rounds: Sequence[float]) -> Ratio:
        """A ratio that should not be below a goal."""
        value = median(rounds)
        return cls(what, f"≥ {goal:g}", value >= goal, value, list(rounds))


def told(ratio: Ratio) -> str:
    """One line."""
    verdict = "      " if ratio.goal == "-" else "met   " if ratio.met else "MISSED"
    values = ", ".join(f"{value:.3f}" for value in ratio.rounds)
    return f"{verdict} {ratio.what:42} {ratio.value:7.3f}  goal {ratio.goal}  ({values})"
