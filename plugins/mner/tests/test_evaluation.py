"""Span scores against seqeval, and mentions apart."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.evaluation.spans import evaluate_spans
from streamproc_mner.labels import ENTITY_TYPES, Span, bio_labels, labels_of, spans_of


def _post(tags: list[str]) -> LabelledPost:
    words = tuple(f"w{chr(97 + index)}" for index in range(len(tags)))
    (post,) = normalise([Record("1", words, tuple(tags))])
    return post


def _random_tags(source: random.Random, length: int) -> list[str]:
    """Valid BIO of random entities."""
    spans, place = [], 0
    while place < length:
        size = source.randint(1, 3)
        if source.random() < 0.5 and place + size <= length:
            spans.append(Span(place, place + size, source.choice(ENTITY_TYPES)))
        place += size
    return labels_of(spans, length)


def test_agrees_with_seqeval() -> None:
    source = random.Random(4)
    gold = [_random_tags(source, source.randint(1, 12)) for _ in range(200)]
    found = [_random_tags(source, len(tags)) if source.random() < 0.5 else list(tags) for tags in gold]
    posts = [_post(tags) for tags in gold]
    result = evaluate_spans(posts, [spans_of(tags) for tags in found])
    assert result.overall.f1 == pytest.approx(f1_score(gold, found))
    assert result.overall.precision == pytest.approx(precision_score(gold, found))
    assert result.overall.recall == pytest.approx(recall_score(gold, found))
    report = classification_report(gold, found, output_dict=True, mode="strict", scheme=IOB2)
    for name, score in result.by_type.items():
        assert score.f1 == pytest.approx(report[name]["f1-score"])
        assert score.gold == report[name]["support"]


def test_spans_are_read_strictly_as_seqeval_does() -> None:
    """Where naive counting differs: an `I-` that continues nothing, or another type."""
    source = random.Random(9)
    for _ in range(300):
        gold = [source.choice(bio_labels(ENTITY_TYPES)) for _ in range(6)]
        found = [source.choice(bio_labels(ENTITY_TYPES)) for _ in range(6)]
        common = set(spans_of(gold)) & set(spans_of(found))
        total = len(spans_of(gold)) + len(spans_of(found))
        mine = 2 * len(common) / total if total else 0.0
        theirs = f1_score([gold], [found], mode="strict", scheme=IOB2, zero_division=0)
        assert mine == pytest.approx(theirs), (gold, found)


def test_mentions_are_scored_apart_where_they_are_labelled() -> None:
    record = Record("1", ("@", "nasa", "in", "Paris"), ("O", "B-ORG", "O", "B-LOC"))
    posts = normalise([record])
    result = evaluate_spans(posts, [[Span(3, 4, "LOC"), Span(1, 2, "PER")]])
    assert result.mentions is not None
    assert (result.mentions.gold, result.mentions.correct) == (1, 0)
    assert (result.without_mentions.gold, result.without_mentions.correct) == (1, 1)
    assert (result.overall.gold, result.overall.predicted, result.overall.correct) == (2, 2, 1)


def test_mentions_are_left_out_where_they_are_not_labelled() -> None:
    posts = normalise([Record("1", ("@nasa", "in", "Paris"), ("O", "O", "B-LOC"))])
    result = evaluate_spans(posts, [[Span(3, 4, "LOC"), Span(1, 2, "PER")]])
    assert result.mentions is None
    assert result.overall.f1 == 1.0


def test_no_entities_anywhere_score_zero_without_failing() -> None:
    result = evaluate_spans([_post(["O"])], [[]])
    assert (result.overall.f1, result.overall.precision, result.overall.recall) == (0.0, 0.0, 0.0)
