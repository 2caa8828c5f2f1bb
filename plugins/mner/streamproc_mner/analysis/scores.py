"""Figures of tables and plots from counts of entities, in percent, with intervals over posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc_mner.analysis.findings import Cell
from streamproc_mner.evaluation.significance import (
    Counts,
    Interval,
    bootstrap_interval,
    f1_of,
    paired_bootstrap,
)

COLUMNS = ("P", "R", "F1", "F1 95 %", "difference", "difference 95 %")


@dataclass(frozen=True, slots=True)
class Draws:
    """Which posts the bootstrap draws: how often all of them anew, and the seed."""

    resamples: int
    seed: int

    def interval(self, counts: Counts) -> tuple[float, float]:
        """The 95 % interval of F1."""
        return _percent(bootstrap_interval(counts, self.resamples, self.seed))

    def difference(self, base: Counts, counts: Counts) -> tuple[float, tuple[float, float]]:
        """How much higher F1 is than of the base on the same posts, and its 95 % interval."""
        found = paired_bootstrap(base, counts, self.resamples, self.seed)
        return 100 * found.value, _percent(found.interval)

    @property
    def told(self) -> str:
        """In a sentence."""
        return (
            f"Scores in percent; 95 % intervals by bootstrap over posts ({self.resamples} resamples, "
            f"seed {self.seed})."
        )


def f1(counts: Counts) -> float:
    """F1 in percent of n posts together, (n, 3); of s models, (s, n, 3), the mean."""
    return 100 * float(f1_of(counts.sum(axis=-2)).mean())


def cells(counts: Counts, base: Counts | None, draws: Draws) -> Sequence[Cell]:
    """What stands under `COLUMNS`: nothing where there is no gold entity to find.

    Args:
        counts: (s, n, 3) of s models, whose means are told.
        base: of the same posts, to compare with; `None` for the base itself.
        draws: of the bootstrap.
    """
    sums = counts.sum(axis=-2)
    gold, predicted, correct = sums[..., 0], sums[..., 1], sums[..., 2]
    if not gold.any():
        return (None,) * len(COLUMNS)
    precision = 100 * float((correct / np.maximum(predicted, 1)).mean()) if predicted.any() else None
    own = (precision, 100 * float((correct / gold).mean()), f1(counts), draws.interval(counts))
    return (*own, *((None, None) if base is None else draws.difference(base, counts)))


def _percent(interval: Interval) -> tuple[float, float]:
    return 100 * interval.low, 100 * interval.high
