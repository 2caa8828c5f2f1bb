"""F1 against how many pictures are looked at: the uncertain ones first, by chance, by an oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.analysis.looking import Looks
from streamproc_mner.evaluation.significance import Counts, f1_of

Floats = NDArray[np.float64]

DRAWS: Final = 500
BAND: Final = 0.95
ENOUGH: Final = 0.95
"""The share of the gain that a threshold is to keep."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """What each threshold gives that tells posts apart, from the highest to 0.

    Attributes:
        thresholds: (s,): half-way between two posts' uncertainties.
        looks: (s,) how many pictures are looked at.
        f1: (s,) in percent.
    """

    thresholds: Floats
    looks: NDArray[np.int64]
    f1: Floats


def sweep(looks: Looks) -> Sweep:
    """`uncertain(T)` for every T that makes a difference; the last one is 0."""
    order = np.argsort(-looks.uncertainty, kind="stable")
    levels = np.unique(looks.uncertainty)[::-1]
    # At the highest, between each two, and 0, which leaves out only posts of no uncertainty at all.
    thresholds = np.concatenate([levels[:1], (levels[:-1] + levels[1:]) / 2, [0.0]])
    counts, first = np.unique(_above(thresholds, looks.uncertainty), return_index=True)
    shortest = _rounded(thresholds[first], looks.uncertainty)
    return Sweep(shortest, counts, _f1_after(looks, order)[counts])


def chance(looks: Looks, counts: NDArray[np.int64], seed: int) -> tuple[Floats, Floats, Floats]:
    """(c,) mean, low and high of F1 in percent, where as many pictures are drawn by chance.

    Args:
        looks: m posts with a picture.
        counts: (c,) from 0 to m.
        seed: of the draws.
    """
    source = np.random.default_rng(seed)
    drawn = np.stack(
        [_f1_after(looks, source.permutation(len(looks.pictured)))[counts] for _ in range(DRAWS)]
    )
    low, high = np.quantile(drawn, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    return drawn.mean(axis=0), low, high


def oracle(looks: Looks, counts: NDArray[np.int64]) -> Floats:
    """(c,) the best F1 in percent that up to so many looks could bring, if one knew where they help.

    F1 = 2 C / (G + P) is not a sum over posts. The best k posts under F1 > f are those with the greatest
    2 dC - f dP above 0; f is raised until it no longer rises (Dinkelbach 1967), which is exact.
    """
    gained = looks.after - looks.without[looks.pictured]
    start = looks.without.sum(axis=0)
    return np.array([100 * _best(start, gained, int(count)) for count in counts])


def oracle_reach(looks: Looks, wanted: float) -> int:
    """The fewest looks with which an oracle has an F1 (percent) that looking always has."""
    low, high = 0, len(looks.pictured)
    while low < high:
        middle = (low + high) // 2
        if float(oracle(looks, np.array([middle]))[0]) >= wanted - 1e-9:
            high = middle
        else:
            low = middle + 1
    return low


def fewest(sweep: Sweep, everything: float, share: float = ENOUGH) -> int | None:
    """The point of a sweep with the fewest looks that has a share of the gain of looking always.

    Args:
        sweep: of some posts.
        everything: F1 in percent of looking always.
        share: of the gain.

    Returns:
        `None` where looking always gains nothing. Where no threshold has the share, since posts of no
        uncertainty at all are never looked at, the last point.
    """
    none = float(sweep.f1[0])
    if everything <= none:
        return None
    reached = sweep.f1 >= none + share * (everything - none) - 1e-9  # a rounding must not decide
    return int(np.argmax(reached)) if reached.any() else len(reached) - 1


def affordable(sweep: Sweep, most: int) -> int:
    """The point of a sweep with the most looks, up to so many."""
    return int(np.searchsorted(sweep.looks, most, side="right")) - 1


def _best(start: Counts, gained: Counts, most: int) -> float:
    best = float(f1_of(start))
    while True:
        worth = 2.0 * gained[:, 2] - best * gained[:, 1]
        chosen = np.argsort(-worth, kind="stable")[:most]
        chosen = chosen[worth[chosen] > 0]
        reached = float(f1_of(start + gained[chosen].sum(axis=0)))
        if reached <= best + 1e-12:
            return best
        best = reached


def _f1_after(looks: Looks, order: NDArray[np.int64]) -> Floats:
    """(m + 1,) F1 in percent after the first 0, 1, ..., m looks in an order."""
    gained = looks.after - looks.without[looks.pictured]
    totals = np.vstack([np.zeros((1, 3), np.int64), np.cumsum(gained[order], axis=0)])
    return 100 * f1_of(totals + looks.without.sum(axis=0))


def _above(thresholds: Floats, uncertainties: Floats) -> NDArray[np.int64]:
    """How many are above each threshold."""
    below = np.searchsorted(np.sort(uncertainties), thresholds, side="right")
    counts: NDArray[np.int64] = len(uncertainties) - below
    return counts


def _rounded(thresholds: Floats, uncertainties: Floats) -> Floats:
    """With no more digits than it takes to tell the same posts apart."""
    rounded, counts = thresholds, _above(thresholds, uncertainties)
    for digits in (6, 5, 4, 3, 2):
        shorter = np.round(thresholds, digits)
        rounded = np.where(_above(shorter, uncertainties) == counts, shorter, rounded)
    return rounded
