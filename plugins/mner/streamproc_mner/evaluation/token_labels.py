"""Labels of words: the accuracy that counts every word, and how sure a model is of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.predictions import Predicted
from streamproc_mner.evaluation.spans import JudgedPost
from streamproc_mner.labels import Span, labels_of


@dataclass(frozen=True, slots=True)
class JudgedWord:
    """One word: whether its BIO label is right, and the probability that the model gave that label.

    The probability is `None` where the model's tokens are others than the words.
    """

    right: bool
    confidence: float | None


def judged_words(post: LabelledPost, judged: JudgedPost, predicted: Predicted) -> Iterator[JudgedWord]:
    """The words of a post that are judged, in order.

    A word that a stray touches is wrong. Mentions are left out where the data set does not label them.
    """
    count = len(post.words)
    gold, found = _labels(judged.gold, count), _labels(judged.found, count)
    astray = {index for span in judged.strays for index in range(span.start, span.end)}
    known: Sequence[float | None] = predicted.confidence
    if len(known) != count:
        known = [None] * count
    for index in range(count):
        if post.mentions_labelled or index not in post.mentions:
            yield JudgedWord(gold[index] == found[index] and index not in astray, known[index])


def _labels(spans: frozenset[Span], count: int) -> list[str]:
    return labels_of(sorted(spans, key=lambda span: span.start), count)
