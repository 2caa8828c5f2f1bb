"""What a model gets wrong: which types it takes for which, and its worst posts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from streamproc_mner.evaluation.predictions import Predicted
from streamproc_mner.evaluation.spans import JudgedPost
from streamproc_mner.labels import Span

Borders = Literal["right", "wrong", "none"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """One kind of mistake.

    Attributes:
        gold: the entity's type; `None` for an entity that is none.
        found: the type that it was given; `None` for an entity that was missed.
        borders: whether they were right; `none` where the other side has no entity there.
    """

    gold: str | None
    found: str | None
    borders: Borders


@dataclass(frozen=True, slots=True)
class BadPost:
    """A post with wrong entities.

    Attributes:
        index: of the post.
        loss: the sum of the scores that its wrong entities were given.
        missed: how many gold entities were not found.
    """

    index: int
    loss: float
    missed: int


def confusions(judged: Iterable[JudgedPost]) -> Counter[Confusion]:
    """Every mistake once: gold and wrong entities that overlap are one, whatever is left stands alone."""
    counted: Counter[Confusion] = Counter()
    for post in judged:
        counted.update(_of_post(post))
    return counted


def worst_posts(judged: Sequence[JudgedPost], predicted: Sequence[Predicted], most: int) -> list[BadPost]:
    """Posts whose wrong entities have the highest scores: what the model is most wrongly sure of."""
    bad = []
    for index, (post, said) in enumerate(zip(judged, predicted, strict=True)):
        scores = {scored.span: scored.probability for scored in said.spans}
        wrong = [scores[span] for span in post.found - post.gold]
        wrong += [scored.probability for scored in said.strays if scored.span in post.strays]
        if wrong or post.gold - post.found:
            bad.append(BadPost(index, sum(wrong), len(post.gold - post.found)))
    return sorted(bad, key=lambda one: (-one.loss, -one.missed, one.index))[:most]


def _of_post(post: JudgedPost) -> list[Confusion]:
    missed = sorted(post.gold - post.found, key=_place)
    wrong = sorted([*(post.found - post.gold), *post.strays], key=_place)
    strays = Counter(post.strays)
    kinds = []
    for gold in missed:
        taken = _best(gold, wrong)
        if taken is None:
            kinds.append(Confusion(gold.type, None, "none"))
            continue
        wrong.remove(taken)
        same = (gold.start, gold.end) == (taken.start, taken.end) and not strays[taken]
        kinds.append(Confusion(gold.type, taken.type, "right" if same else "wrong"))
    return kinds + [Confusion(None, left.type, "none") for left in wrong]


def _best(gold: Span, wrong: Sequence[Span]) -> Span | None:
    """The wrong entity that shares most words with a gold one."""
    shared = {span: min(gold.end, span.end) - max(gold.start, span.start) for span in wrong}
    best = max(shared, key=lambda span: shared[span], default=None)
    return best if best is not None and shared[best] > 0 else None


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.type
