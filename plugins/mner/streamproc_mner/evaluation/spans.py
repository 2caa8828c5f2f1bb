"""Strict span scores: an entity counts if its borders and its type are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.labels import Span


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 (0 to 1) from counts of entities."""

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of the predicted entities that are right; 0 where none is predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold entities that are found; 0 where there is none."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.gold + self.predicted
        return 2 * self.correct / total if total else 0.0

    def summary(self) -> dict[str, float]:
        """Percentages with two decimals, and the number of gold entities."""
        return {
            "precision": round(100 * self.precision, 2),
            "recall": round(100 * self.recall, 2),
            "f1": round(100 * self.f1, 2),
            "gold": self.gold,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one data set.

    Attributes:
        overall: all entities; where the data set does not label mentions, without mentions.
        by_type: the same by type.
        without_mentions: entities that touch no name of a mentioned account.
        mentions: entities that do; `None` where the data set does not label them.
    """

    overall: Score
    by_type: dict[str, Score]
    without_mentions: Score
    mentions: Score | None

    def summary(self) -> dict[str, object]:
        """For `metrics.json`."""
        return {
            "overall": self.overall.summary(),
            "by_type": {name: score.summary() for name, score in sorted(self.by_type.items())},
            "without_mentions": self.without_mentions.summary(),
            "mentions": self.mentions.summary() if self.mentions else None,
        }


def evaluate_spans(posts: Sequence[LabelledPost], predicted: Sequence[Sequence[Span]]) -> Evaluation:
    """Compare predicted with gold entities, mentions apart.

    Args:
        posts: n posts of one data set, with gold entities.
        predicted: entities over the words of each.
    """
    gold = {(index, span) for index, post in enumerate(posts) for span in post.spans}
    found = {(index, span) for index, spans in enumerate(predicted) for span in spans}
    gold_mentions, found_mentions = _on_mentions(posts, gold), _on_mentions(posts, found)
    labelled = any(post.mentions_labelled for post in posts)
    rest = _score(gold - gold_mentions, found - found_mentions)
    if not labelled:
        gold, found = gold - gold_mentions, found - found_mentions
    types = sorted({span.type for _, span in gold | found})
    return Evaluation(
        overall=_score(gold, found),
        by_type={name: _score(_of_type(gold, name), _of_type(found, name)) for name in types},
        without_mentions=rest,
        mentions=_score(gold_mentions, found_mentions) if labelled else None,
    )


def _on_mentions(posts: Sequence[LabelledPost], spans: Iterable[tuple[int, Span]]) -> set[tuple[int, Span]]:
    return {
        (index, span)
        for index, span in spans
        if not posts[index].mentions.isdisjoint(range(span.start, span.end))
    }


def _of_type(spans: Iterable[tuple[int, Span]], name: str) -> set[tuple[int, Span]]:
    return {(index, span) for index, span in spans if span.type == name}


def _score(gold: set[tuple[int, Span]], found: set[tuple[int, Span]]) -> Score:
    return Score(len(gold), len(found), len(gold & found))
