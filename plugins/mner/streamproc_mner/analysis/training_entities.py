"""Entities by what a training file has of them: chen2021-wnut table 6, chen2020-captions table 4."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.parts import Cut, findings_by_part
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Tagged
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.labels import Span

SEEN: Final = ("seen", "unseen")
AMBIGUOUS: Final = ("multi-type", "single-type", "other type only", "not in training")


class TrainingEntities:
    """The entities of a training file: under which types each surface form stands there.

    Args:
        posts: of the training file.
        ignore_case: `nba` and `NBA` are one surface form.
    """

    def __init__(self, posts: Iterable[LabelledPost], *, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._types: dict[str, set[str]] = defaultdict(set)
        for post in posts:
            for span in post.spans:
                self._types[self.surface(post, span)].add(span.type)

    def __len__(self) -> int:
        """Surface forms."""
        return len(self._types)

    @property
    def ambiguous(self) -> int:
        """Surface forms with several types."""
        return sum(len(types) > 1 for types in self._types.values())

    def surface(self, post: LabelledPost, span: Span) -> str:
        """The words of an entity, as they are compared."""
        text = " ".join(word.text for word in post.words[span.start : span.end])
        return text.casefold() if self._ignore_case else text

    def is_seen(self, post: LabelledPost, span: Span) -> str:
        """`seen`: the surface form stands in the training file with this type."""
        return SEEN[0] if span.type in self._of(post, span) else SEEN[1]

    def ambiguity(self, post: LabelledPost, span: Span) -> str:
        """Which of `AMBIGUOUS`: with several types, with this type alone, with one other, not at all."""
        types = self._of(post, span)
        if len(types) > 1:
            return AMBIGUOUS[0]
        if span.type in types:
            return AMBIGUOUS[1]
        return AMBIGUOUS[2] if types else AMBIGUOUS[3]

    def _of(self, post: LabelledPost, span: Span) -> set[str]:
        return self._types.get(self.surface(post, span), set())


def by_seen(tagged: Sequence[Tagged], training: TrainingEntities, draws: Draws) -> Findings:
    """F1 of entities that the training file has and has not (chen2021-wnut section 5.3, table 6).

    An entity is seen if its surface form stands in the training file with the same type.

    Args:
        tagged: the same posts by each system.
        training: of the training file.
        draws: of the bootstrap.
    """
    notes = (
        _told(training),
        "seen: in the training file with the same type; predicted entities by theirs.",
    )
    cut = Cut("entities", SEEN, training.is_seen)
    return findings_by_part("seen", "F1 of seen and unseen entities", tagged, cut, notes, draws)


def by_ambiguity(tagged: Sequence[Tagged], training: TrainingEntities, draws: Draws) -> Findings:
    """F1 of entities by how many types their surface forms have in training (chen2020-captions table 4).

    Multi-type: the surface form stands in the training file with several types; single-type: with
    the entity's alone. The papers leave the others out, here they have lines of their own.

    Args:
        tagged: the same posts by each system.
        training: of the training file.
        draws: of the bootstrap.
    """
    notes = (
        _told(training),
        "single-type: in the training file with the same type alone; predicted by theirs.",
    )
    cut = Cut("surface forms", AMBIGUOUS, training.ambiguity)
    return findings_by_part(
        "ambiguous", "F1 by the types that a surface form has in training", tagged, cut, notes, draws
    )


def _told(training: TrainingEntities) -> str:
    return f"The training file has {len(training)} surface forms, {training.ambiguous} with several types."
