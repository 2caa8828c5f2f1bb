"""Entity scores against seqeval and the CoNLL script's definition; mentions and strays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.evaluation.spans import Score, evaluate_spans, judge
from streamproc_mner.labels import ENTITY_TYPES, Span, bio_labels, labels_of, spans_of

Tags = list[str]
TYPES = ENTITY_TYPES[:2]


def post_of(tags: Sequence[str]) -> LabelledPost:
    words = tuple(f"w{chr(97 + index)}" for index in range(len(tags)))
    (post,) = normalise([Record("1", words, tuple(tags))])
    return post


def score_of(gold: Sequence[Tags], found: Sequence[Tags]) -> Score:
    return evaluate_spans([post_of(tags) for tags in gold], [spans_of(tags) for tags in found]).overall


@st.composite
def tags_of_length(draw: st.DrawFn, length: int) -> Tags:
    """Valid BIO2 of entities that may touch each other."""
    spans, place = [], 0
    while place < length:
        size = draw(st.integers(1, 3))
        if draw(st.booleans()) and place + size <= length:
            spans.append(Span(place, place + size, draw(st.sampled_from(TYPES))))
        place += size
    return labels_of(spans, length)


@st.composite
def tagged_posts(draw: st.DrawFn) -> list[tuple[Tags, Tags]]:
    """Gold and found tags of some posts; sometimes the same."""
    posts = []
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, 8))
        gold = draw(tags_of_length(length))
        posts.append((gold, gold if draw(st.booleans()) else draw(tags_of_length(length))))
    return posts


def conll(gold: Sequence[Tags], found: Sequence[Tags]) -> tuple[int, int, int]:
    """The CoNLL-2000 script's count, in plain loops: chunks that begin, end and are typed alike.

    It reads all posts as one column of tags with an O between posts, and goes through it once.
    """
    correct = in_gold = in_found = 0
    agreeing = False
    before_gold = before_found = "O"
    column = [
        pair for tags in zip(gold, found, strict=True) for pair in [*zip(*tags, strict=True), ("O", "O")]
    ]
    for tag_gold, tag_found in column:
        ends_gold, ends_found = ends(before_gold, tag_gold), ends(before_found, tag_found)
        starts_gold, starts_found = starts(before_gold, tag_gold), starts(before_found, tag_found)
        if agreeing and ends_gold and ends_found:
            correct += 1
        if agreeing and (ends_gold or ends_found):
            agreeing = False
        if starts_gold and starts_found and tag_gold[2:] == tag_found[2:]:
            agreeing = True
        in_gold += starts_gold
        in_found += starts_found
        before_gold, before_found = tag_gold, tag_found
    return in_gold, in_found, correct


def starts(before: str, tag: str) -> bool:
    return tag[0] == "B" or (tag[0] == "I" and (before == "O" or before[2:] != tag[2:]))


def ends(before: str, tag: str) -> bool:
    return before != "O" and (tag[0] in "OB" or before[2:] != tag[2:])


@given(tagged_posts())
def test_agrees_with_the_conll_scripts_definition(posts: list[tuple[Tags, Tags]]) -> None:
    gold, found = [post[0] for post in posts], [post[1] for post in posts]
    score = score_of(gold, found)
    assert (score.gold, score.predicted, score.correct) == conll(gold, found)


@given(tagged_posts())
def test_agrees_with_seqeval(posts: list[tuple[Tags, Tags]]) -> None:
    gold, found = [post[0] for post in posts], [post[1] for post in posts]
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    result = evaluate_spans([post_of(tags) for tags in gold], [spans_of(tags) for tags in found])
    assert result.overall.f1 == pytest.approx(f1_score(gold, found, **strict))
    assert result.overall.precision == pytest.approx(precision_score(gold, found, **strict))
    assert result.overall.recall == pytest.approx(recall_score(gold, found, **strict))
    if result.by_type:
        report = classification_report(gold, found, output_dict=True, **strict)
        for name, score in result.by_type.items():
            assert score.f1 == pytest.approx(report[name]["f1-score"])
            assert score.gold == report[name]["support"]


@given(st.lists(st.sampled_from(bio_labels(TYPES)), min_size=6, max_size=6))
def test_broken_bio_is_read_strictly_as_seqeval_does(gold: Tags) -> None:
    """An `I-` that continues nothing, or another type, is no entity."""
    found = gold[::-1]
    common = set(spans_of(gold)) & set(spans_of(found))
    total = len(spans_of(gold)) + len(spans_of(found))
    mine = 2 * len(common) / total if total else 0.0
    assert mine == pytest.approx(f1_score([gold], [found], mode="strict", scheme=IOB2, zero_division=0))


def by_words(gold: Sequence[Tags], found: Sequence[Tags]) -> tuple[int, int, int]:
    """Naive: words inside entities, by type, whatever the borders."""
    pairs = [pair for tags in zip(gold, found, strict=True) for pair in zip(*tags, strict=True)]
    correct = sum(a != "O" and a[2:] == b[2:] for a, b in pairs)
    return sum(a != "O" for a, _ in pairs), sum(b != "O" for _, b in pairs), correct


def by_texts(gold: Sequence[Tags], found: Sequence[Tags]) -> tuple[int, int, int]:
    """Naive: the set of texts with their types, as if each name were there once; words are all `x`."""
    sides = [{(s.end - s.start, s.type) for tags in side for s in spans_of(tags)} for side in (gold, found)]
    return len(sides[0]), len(sides[1]), len(sides[0] & sides[1])


def by_overlap(gold: Sequence[Tags], found: Sequence[Tags]) -> tuple[int, int, int]:
    """Naive: an entity is right if it touches one of its type."""
    correct = 0
    for tags, said in zip(gold, found, strict=True):
        for span in spans_of(said):
            correct += any(
                s.type == span.type and s.start < span.end and span.start < s.end for s in spans_of(tags)
            )
    return sum(len(spans_of(t)) for t in gold), sum(len(spans_of(t)) for t in found), correct


NAIVE = {
    "neighbours of one type are two": (["B-PER B-PER O"], ["B-PER I-PER O"], (2, 1, 0), by_words),
    "the same name twice in a post": (["B-PER O B-PER"], ["B-PER O O"], (2, 1, 1), by_texts),
    "the same name in two posts": (["B-LOC", "B-LOC"], ["B-LOC", "O"], (2, 1, 1), by_texts),
    "the same length elsewhere": (["B-LOC I-LOC O"], ["O B-LOC I-LOC"], (1, 1, 0), by_texts),
    "one word too many": (["B-ORG I-ORG O"], ["B-ORG I-ORG I-ORG"], (1, 1, 0), by_overlap),
    "a first word too few": (["B-ORG I-ORG O"], ["O B-ORG O"], (1, 1, 0), by_overlap),
    "a last word too few, at the end": (["O B-PER I-PER"], ["O B-PER O"], (1, 1, 0), by_words),
    "at the end of the post": (["O B-PER I-PER"], ["O B-PER I-PER"], (1, 1, 1), by_words),
    "no entity goes on in the next post": (["O B-PER", "B-PER O"], ["O B-PER", "O O"], (2, 1, 1), by_texts),
    "a long entity counts as one": (["B-PER I-PER O B-LOC"], ["B-PER I-PER O O"], (2, 1, 1), by_words),
}
"""Case → gold tags, found tags, gold/predicted/correct entities, and a way of counting that differs."""


@pytest.mark.parametrize("case", NAIVE)
def test_counts_entities_where_naive_counting_goes_wrong(case: str) -> None:
    gold, found, expected, naive = NAIVE[case]
    tags, said = [post.split() for post in gold], [post.split() for post in found]
    score = score_of(tags, said)
    assert (score.gold, score.predicted, score.correct) == expected == conll(tags, said)
    assert naive(tags, said) != expected, "the case shows the difference"


def test_a_wrong_type_costs_the_type_and_not_the_segmentation() -> None:
    tags = ["B-PER", "I-PER", "O", "B-LOC", "O"]
    found = [Span(0, 2, "ORG"), Span(3, 5, "LOC")]
    result = evaluate_spans([post_of(tags)], [found])
    assert result.overall == Score(2, 2, 0)
    assert result.segmentation == Score(2, 2, 1)
    assert result.by_type == {"LOC": Score(1, 1, 0), "ORG": Score(0, 1, 0), "PER": Score(1, 0, 0)}


@given(tagged_posts())
def test_segmentation_is_the_score_of_the_same_tags_with_one_type(posts: list[tuple[Tags, Tags]]) -> None:
    def untyped(tags: Tags) -> Tags:
        return [tag if tag == "O" else f"{tag[0]}-PER" for tag in tags]

    gold, found = [post[0] for post in posts], [post[1] for post in posts]
    result = evaluate_spans([post_of(tags) for tags in gold], [spans_of(tags) for tags in found])
    assert result.segmentation == score_of(list(map(untyped, gold)), list(map(untyped, found)))


def test_a_stray_is_one_more_wrong_prediction_even_over_the_words_of_a_gold_entity() -> None:
    posts = [post_of(["B-PER", "O"])]
    stray = Span(0, 1, "PER")
    alone = evaluate_spans(posts, [[]], [[stray]])
    beside = evaluate_spans(posts, [[stray]], [[stray]])
    assert alone.overall == alone.by_type["PER"] == alone.segmentation == Score(1, 1, 0)
    assert beside.overall == beside.segmentation == Score(1, 2, 1)


def test_mentions_are_scored_apart_where_they_are_labelled() -> None:
    record = Record("1", ("@", "nasa", "in", "Paris"), ("O", "B-ORG", "O", "B-LOC"))
    posts = normalise([record])
    result = evaluate_spans(posts, [[Span(3, 4, "LOC"), Span(1, 2, "PER")]], [[Span(1, 2, "ORG")]])
    assert result.mentions == Score(1, 2, 0)
    assert result.without_mentions == Score(1, 1, 1)
    assert result.overall == Score(2, 3, 1)


def test_mentions_are_left_out_where_they_are_not_labelled() -> None:
    posts = normalise([Record("1", ("@nasa", "in", "Paris"), ("O", "O", "B-LOC"))])
    found, strays = [[Span(3, 4, "LOC"), Span(1, 2, "PER")]], [[Span(0, 2, "PER")]]
    result = evaluate_spans(posts, found, strays)
    assert result.mentions is None
    assert result.overall == Score(1, 1, 1)
    assert judge(posts, found, strays)[0].found == {Span(3, 4, "LOC")}


def test_no_entities_anywhere_score_zero_without_failing() -> None:
    result = evaluate_spans([post_of(["O"])], [[]])
    assert (result.overall.f1, result.overall.precision, result.overall.recall) == (0.0, 0.0, 0.0)


def test_the_summary_has_percentages_of_every_part() -> None:
    result = evaluate_spans([post_of(["B-PER", "O", "B-PER"])], [[Span(0, 1, "PER")]])
    assert result.summary()["overall"] == {"precision": 100.0, "recall": 50.0, "f1": 66.67, "gold": 2}
    assert result.summary()["segmentation"] == result.summary()["overall"]
