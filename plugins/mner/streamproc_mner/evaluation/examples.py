"""Entities that one model finds and another does not, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.comparing import Against, PlacedSpan, Runs
from streamproc_mner.labels import Span


@dataclass(frozen=True, slots=True)
class Example:
    """A gold entity that was fixed or broken.

    Attributes:
        kind: whether the base gets it wrong and the other one right, or the other way round.
        post: the post's id, or its number in the file where it has none.
        text: of the post.
        entity: its text.
        type: its gold type.
        base: what the base says there: text and type of each entity that shares a word with it.
        other: what the other one says there.
    """

    kind: Literal["fixed", "broken"]
    post: str
    text: str
    entity: str
    type: str
    base: tuple[tuple[str, str], ...]
    other: tuple[tuple[str, str], ...]


def examples(posts: Sequence[LabelledPost], base: Runs, against: Against, most: int) -> list[Example]:
    """The first entities in the file that were fixed, then the first that were broken.

    Args:
        posts: that were compared over.
        base: the contestant that `against` was compared with.
        against: has the entities.
        most: of each kind.
    """
    found = []
    kinds: tuple[tuple[Literal["fixed", "broken"], tuple[PlacedSpan, ...]], ...] = (
        ("fixed", against.fixed),
        ("broken", against.broken),
    )
    for kind, entities in kinds:
        for index, span in islice(entities, most):
            post = posts[index]
            found.append(
                Example(
                    kind=kind,
                    post=post.id or str(index + 1),
                    text=post.text,
                    entity=text_of(post, span),
                    type=span.type,
                    base=_said(base, post, (index, span)),
                    other=_said(against.runs, post, (index, span)),
                )
            )
    return found


def text_of(post: LabelledPost, span: Span) -> str:
    """The characters of an entity; none of one that lies between words."""
    if span.start == span.end:
        return ""
    return post.text[post.words[span.start].start : post.words[span.end - 1].end]


def _said(runs: Runs, post: LabelledPost, entity: PlacedSpan) -> tuple[tuple[str, str], ...]:
    """What the first model says that is right or wrong there as most models of the contestant are."""
    index, gold = entity
    right = entity in runs.correct
    judged = next(one.judged[index] for one in runs.measured if (gold in one.judged[index].found) == right)
    there = [
        span
        for span in sorted(
            {*judged.found, *judged.strays}, key=lambda span: (span.start, span.end, span.type)
        )
        if span.start < gold.end and span.end > gold.start
    ]
    return tuple((text_of(post, span), span.type) for span in there)
