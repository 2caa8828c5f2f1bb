"""BIO labels: their order, what may follow what, and spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FORBIDDEN: Final = -1e4
"""Score of what must not happen: out of reach of any real score, yet finite, so that sums stay numbers."""

ENTITY_TYPES: Final = ("PER", "LOC", "ORG", "MISC")
"""The types of the Twitter data sets."""


@dataclass(frozen=True, slots=True)
class Span:
    """An entity over words `start` to `end` (exclusive)."""

    start: int
    end: int
    type: str


def bio_labels(types: Sequence[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each type."""
    return ("O", *(f"{prefix}-{entity}" for entity in types for prefix in "BI"))


def may_follow(before: str | None, label: str) -> bool:
    """Whether BIO allows `label` after `before` (`None`: at the start of the post)."""
    if not label.startswith("I-"):
        return True
    return before is not None and before[1:] == label[1:] and before[0] in "BI"


def start_constraints(labels: Sequence[str]) -> NDArray[np.float32]:
    """(L,): 0 where BIO allows a label to come first, `FORBIDDEN` where not."""
    return np.array([0.0 if may_follow(None, label) else FORBIDDEN for label in labels], np.float32)


def transition_constraints(labels: Sequence[str]) -> NDArray[np.float32]:
    """(L, L), from row to column: 0 where BIO allows the step, `FORBIDDEN` where not."""
    return np.array(
        [[0.0 if may_follow(before, label) else FORBIDDEN for label in labels] for before in labels],
        np.float32,
    )


def spans_of(labels: Sequence[str]) -> list[Span]:
    """The entities of a BIO sequence, strictly: an `I-` that continues nothing is no entity."""
    spans: list[Span] = []
    start = -1
    for index, label in enumerate([*labels, "O"]):
        if start >= 0 and not (label[0] == "I" and label[1:] == labels[start][1:]):
            spans.append(Span(start, index, labels[start][2:]))
            start = -1
        if label[0] == "B":
            start = index
    return spans


def labels_of(spans: Sequence[Span], length: int) -> list[str]:
    """The BIO sequence of entities that do not overlap, over `length` words."""
    labels = ["O"] * length
    for span in spans:
        labels[span.start] = f"B-{span.type}"
        labels[span.start + 1 : span.end] = [f"I-{span.type}"] * (span.end - span.start - 1)
    return labels
