"""Strict span scores: an entity counts if its borders and its type are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

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


def total(scores: Iterable[Score]) -> Score:
    """The score of several posts together: their counts are added up."""
    gold = predicted = correct = 0
    for score in scores:
        gold, predicted = gold + score.gold, predicted + score.predicted
        correct += score.correct
    return Score(gold, predicted, correct)


@dataclass(frozen=True, slots=True)
class JudgedPost:
    """What of one post is judged.

    Attributes:
        gold: entities over its words.
        found: the same, predicted.
        strays: predicted entities whose borders are no words' borders, over the words that they
            touch. Each counts as predicted, and none can be right.
    """

    gold: frozenset[Span]
    found: frozenset[Span]
    strays: tuple[Span, ...] = ()

    @property
    def correct(self) -> frozenset[Span]:
        """Entities that were found with their borders and their type."""
        return self.gold & self.found

    def score(self) -> Score:
        """Of this post alone."""
        return Score(len(self.gold), len(self.found) + len(self.strays), len(self.correct))

    def only(self, keep: Callable[[Span], bool]) -> JudgedPost:
        """The post with some of its entities."""
        return JudgedPost(
            frozenset(filter(keep, self.gold)),
            frozenset(filter(keep, self.found)),
            tuple(filter(keep, self.strays)),
        )

    def untyped(self) -> JudgedPost:
        """The post with entities that have borders and no type: segmentation."""
        return JudgedPost(
            frozenset(replace(span, type="") for span in self.gold),
            frozenset(replace(span, type="") for span in self.found),
            tuple(replace(span, type="") for span in self.strays),
        )


def judge(
    posts: Sequence[LabelledPost],
    predicted: Sequence[Sequence[Span]],
    strays: Sequence[Sequence[Span]] | None = None,
) -> list[JudgedPost]:
    """What of each post is judged: where its data set does not label mentions, nothing that touches one.

    Args:
        posts: n posts, with gold entities.
        predicted: entities over the words of each.
        strays: see `JudgedPost`; none by default.
    """
    wrong = strays if strays is not None else [()] * len(posts)
    judged = []
    for post, found, astray in zip(posts, predicted, wrong, strict=True):
        whole = JudgedPost(frozenset(post.spans), frozenset(found), tuple(astray))
        judged.append(whole if post.mentions_labelled else whole.only(_off_mentions(post)))
    return judged


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one data set.

    Attributes:
        overall: all entities; where the data set does not label mentions, without mentions.
        by_type: the same by type.
        segmentation: the same by borders alone (moon2018 table 1, segmentation).
        without_mentions: entities that touch no name of a mentioned account.
        mentions: entities that do; `None` where the data set does not label them.
    """

    overall: Score
    by_type: dict[str, Score]
    segmentation: Score
    without_mentions: Score
    mentions: Score | None

    def summary(self) -> dict[str, object]:
        """For `metrics.json`."""
        return {
            "overall": self.overall.summary(),
            "by_type": {name: score.summary() for name, score in sorted(self.by_type.items())},
            "segmentation": self.segmentation.summary(),
            "without_mentions": self.without_mentions.summary(),
            "mentions": self.mentions.summary() if self.mentions else None,
        }


def evaluate_spans(
    posts: Sequence[LabelledPost],
    predicted: Sequence[Sequence[Span]],
    strays: Sequence[Sequence[Span]] | None = None,
) -> Evaluation:
    """Compare predicted with gold entities, mentions apart; the arguments are those of `judge`."""
    judged = judge(posts, predicted, strays)
    rest = [post.only(_off_mentions(labelled)) for post, labelled in zip(judged, posts, strict=True)]
    overall, without = total(post.score() for post in judged), total(post.score() for post in rest)
    mentions = Score(
        overall.gold - without.gold,
        overall.predicted - without.predicted,
        overall.correct - without.correct,
    )
    return Evaluation(
        overall=overall,
        by_type={name: total(_of_type(post, name) for post in judged) for name in types_of(judged)},
        segmentation=total(post.untyped().score() for post in judged),
        without_mentions=without,
        mentions=mentions if any(post.mentions_labelled for post in posts) else None,
    )


def types_of(judged: Iterable[JudgedPost]) -> list[str]:
    """All types, of gold and of predicted entities, sorted."""
    return sorted(
        {span.type for post in judged for spans in (post.gold, post.found, post.strays) for span in spans}
    )


def _of_type(post: JudgedPost, name: str) -> Score:
    return post.only(lambda span: span.type == name).score()


def _off_mentions(post: LabelledPost) -> Callable[[Span], bool]:
    return lambda span: post.mentions.isdisjoint(range(span.start, span.end))
