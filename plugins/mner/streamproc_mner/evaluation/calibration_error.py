"""Expected calibration error: how far a model's probabilities are from how often it is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions whose confidence lies in one part of 0 to 1.

    Attributes:
        low: confidences are above it; the first bin holds 0 too.
        high: and at most this.
        count: of predictions.
        confidence: their mean.
        accuracy: share of them that are right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence beside accuracy, bin by bin; bins without predictions are left out.

    Attributes:
        error: expected calibration error, 0 to 1: the mean over predictions of
            `|accuracy - confidence|` of their bin (Guo et al. 2017, eq. 3).
        bins: from low to high.
        count: of predictions.
    """

    error: float
    bins: tuple[Bin, ...]
    count: int


def reliability(judged: Iterable[tuple[float, bool]], bins: int = BINS) -> Reliability | None:
    """Sort predictions into bins of equal width.

    Args:
        judged: of each prediction its confidence, 0 to 1, and whether it is right.
        bins: how many.

    Returns:
        `None` where there are no predictions.
    """
    sorted_in: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for confidence, right in judged:
        sorted_in[_bin_of(confidence, bins)].append((confidence, right))
    count = sum(map(len, sorted_in))
    if not count:
        return None
    filled = tuple(_bin(index, bins, inside) for index, inside in enumerate(sorted_in) if inside)
    error = sum(one.count * abs(one.accuracy - one.confidence) for one in filled) / count
    return Reliability(error, filled, count)


def _bin_of(confidence: float, bins: int) -> int:
    """Borders belong to the bin below; scores a rounding beyond 0 or 1 to the outermost ones."""
    for index in range(bins):
        if confidence <= (index + 1) / bins:
            return index
    return bins - 1


def _bin(index: int, bins: int, inside: list[tuple[float, bool]]) -> Bin:
    count = len(inside)
    return Bin(
        low=index / bins,
        high=(index + 1) / bins,
        count=count,
        confidence=sum(confidence for confidence, _ in inside) / count,
        accuracy=sum(right for _, right in inside) / count,
    )
