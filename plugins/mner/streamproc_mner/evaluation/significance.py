"""Whether a difference between models is more than chance.

Posts are what is drawn by chance, so posts are resampled, with their entities together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.evaluation.spans import JudgedPost

Counts = NDArray[np.int64]
"""(..., n, 3): of n posts how many entities are gold, predicted, correct."""

Floats = NDArray[np.float64]

RESAMPLES: Final = 2000
LEVEL: Final = 0.95

_CHUNK: Final = 64
_EXACT_UP_TO: Final = 25
"""Discordant entities: of more, the chi-squared distribution is near enough (Dietterich 1998)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, as shares (0 to 1)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the second F1 is than the first, as a share.

    Attributes:
        value: on the posts as they are.
        interval: by paired bootstrap.
        p: two-sided; how often a resample has a difference that is zero or has the other sign, twice.
    """

    value: float
    interval: Interval
    p: float


def counts_of(judged: Sequence[JudgedPost]) -> Counts:
    """(n, 3): of each post how many entities are gold, predicted, correct."""
    scores = [post.score() for post in judged]
    rows = [(score.gold, score.predicted, score.correct) for score in scores]
    return np.array(rows, np.int64).reshape(len(rows), 3)


def f1_of(totals: NDArray[np.int64 | np.float64]) -> Floats:
    """F1 (0 to 1) of sums of counts (..., 3), as `Score.f1`: 0 where there are no entities at all."""
    entities = totals[..., 0] + totals[..., 1]
    shares: Floats = 2 * totals[..., 2] / np.maximum(entities, 1)
    return shares


def bootstrap_interval(counts: Counts, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The percentile interval of F1 over resampled posts.

    Args:
        counts: (n, 3), or (s, n, 3) of s models that differ in their seed: the interval is then of
            their mean F1.
        resamples: how often n of the n posts are drawn, with replacement.
        seed: of the draws.
    """
    return _interval(_resampled(counts, resamples, seed))


def paired_bootstrap(
    first: Counts, second: Counts, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """The difference of two F1s over the same resampled posts (Efron and Tibshirani 1993).

    Args:
        first: counts (n, 3), or (s, n, 3) for the mean of s seeds.
        second: of the same n posts.
        resamples: see `bootstrap_interval`.
        seed: of the draws.
    """
    drawn = _resampled(second, resamples, seed) - _resampled(first, resamples, seed)
    value = float(f1_of(second.sum(axis=-2)).mean() - f1_of(first.sum(axis=-2)).mean())
    against = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Difference(value, _interval(drawn), min(1.0, 2 * (against + 1) / (resamples + 1)))


def mcnemar(fixed: int, broken: int) -> float:
    """McNemar's test: the two-sided p of entities that only one of two models finds.

    Exact, by the binomial distribution, where they are few; else by chi-squared with continuity
    correction.

    Args:
        fixed: entities that only the second model finds.
        broken: entities that only the first model finds.
    """
    discordant, fewer = fixed + broken, min(fixed, broken)
    if not discordant:
        return 1.0
    if discordant <= _EXACT_UP_TO:
        tail = sum(math.comb(discordant, count) for count in range(fewer + 1))
        return min(1.0, 2 * tail * 0.5**discordant)
    distance = max(0, abs(fixed - broken) - 1)
    return math.erfc(math.sqrt(distance**2 / discordant / 2))


def paired_t_test(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The two-sided p of two models' F1 over the same seeds, in the same order.

    Returns:
        `None` where it cannot be told: a single seed, or differences that do not vary.
    """
    differences = np.subtract(second, first)
    if len(differences) < 2 or np.ptp(differences) < 1e-12:
        return None
    from scipy.stats import ttest_rel

    return float(ttest_rel(second, first).pvalue)


def _resampled(counts: Counts, resamples: int, seed: int) -> Floats:
    """(resamples,): F1 of each draw, the mean over models."""
    models = counts[None] if counts.ndim == 2 else counts
    posts = models.shape[1]
    flat = models.transpose(1, 0, 2).reshape(posts, -1).astype(np.float64)
    drawn = []
    for weights in _draws(posts, resamples, seed):
        totals = (weights @ flat).reshape(len(weights), len(models), 3)
        drawn.append(f1_of(totals).mean(axis=1))
    return np.concatenate(drawn)


def _draws(posts: int, resamples: int, seed: int) -> Iterator[Floats]:
    """(up to 64, posts): how often each post is in each draw."""
    source = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        chosen = range(start, min(start + _CHUNK, resamples))
        draws = [np.bincount(source.integers(posts, size=posts), minlength=posts) for _ in chosen]
        yield np.stack(draws).astype(np.float64)


def _interval(drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
