"""Captions, how many and whose, against counts in plain loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from plugins.mner.tests.analysis_models import (
    BlindLexiconModel,
    gold,
    guessed,
    lexicon,
    random_posts,
    scores,
    write_posts,
)
from streamproc.errors import InputError
from streamproc.fusion.api import FusionInput
from streamproc_mner.analysis.captions import (
    another_posts,
    caption_counts,
    caption_quality,
    captions_of,
    with_captions,
)
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.groups import Group
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.evaluation.loading import LoadedModel

DRAWS = Draws(resamples=100, seed=5)
POSTS = random_posts(50, seed=2)


def _begin(_: int) -> Callable[[int], None]:
    return lambda _: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledFile:
    return LabelledFile(write_posts(tmp_path_factory.mktemp("data") / "posts.jsonl", POSTS))


def _captions(post: Mapping[str, Any]) -> list[str]:
    return [text for _, text in sorted(post.get("captions", {}).items())]


def _by_hand(captions: Callable[[int], Sequence[str]]) -> tuple[float | None, float, float]:
    right = found = there = 0
    for place, post in enumerate(POSTS):
        guess = guessed(post, captions(place))
        right, found, there = right + len(guess & gold(post)), found + len(guess), there + len(gold(post))
    return scores(right, found, there)


def _told(findings: Findings) -> dict[Any, Mapping[str, Any]]:
    return {row[0]: dict(zip(findings.columns, row, strict=True)) for row in findings.rows}


def test_the_curve_gives_a_model_the_first_captions_of_each_post(data: LabelledFile) -> None:
    findings = caption_counts([lexicon()], data, 10, DRAWS, _begin)
    told = _told(findings)
    assert list(told) == ["0", "1", "2"]  # no post has more
    for count in (0, 1, 2):
        row = told[str(count)]
        by_hand = _by_hand(lambda place, n=count: _captions(POSTS[place])[:n])  # type: ignore[misc]
        assert (row["P"], row["R"], row["F1"]) == pytest.approx(by_hand)
        if count:
            assert row["difference"] == pytest.approx(row["F1"] - told["0"]["F1"])
    assert told["1"]["F1"] != told["0"]["F1"] != told["2"]["F1"]
    with_two = sum(len(_captions(post)) == 2 for post in POSTS)
    assert any(f"2: {with_two};" in note for note in findings.notes)


def test_the_curve_ends_where_it_is_told_to(data: LabelledFile) -> None:
    assert list(_told(caption_counts([lexicon()], data, 1, DRAWS, _begin))) == ["0", "1"]


def test_more_captions_than_a_model_reads_of_one_picture_are_all_read(tmp_path: Path) -> None:
    texts = [f"caption {number}" for number in range(12)]
    post = {"tokens": ["paris"], "tags": ["B-LOC"], "captions": texts}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    (labelled,) = data.posts()
    given = with_captions(labelled, texts)
    assert [segment.text for segment in segments_of(given.as_input("image+text"), ("captions",))] == texts


def test_what_else_was_seen_stays(tmp_path: Path) -> None:
    post = {"tokens": ["paris"], "tags": ["B-LOC"], "captions": ["a dog"], "ocr": "PARIS 2024"}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    (labelled,) = data.posts()
    kinds = ("captions", "ocr")
    for texts, told in (((), ["PARIS 2024"]), (("a cat",), ["PARIS 2024", "a cat"])):
        given: FusionInput = with_captions(labelled, texts).as_input("image+text")
        assert [segment.text for segment in segments_of(given, kinds)] == told
    findings = caption_counts([lexicon()], data, 10, DRAWS, _begin)
    assert "What else was seen is given unchanged: ocr." in findings.notes


def test_quality_compares_own_captions_with_none_anothers_and_one_captioners(data: LabelledFile) -> None:
    own = [_captions(post) for post in POSTS]
    anothers = another_posts(own, DRAWS.seed)
    by_hand = {
        "none": _by_hand(lambda place: ()),
        "own": _by_hand(lambda place: own[place]),
        "another post's": _by_hand(lambda place: anothers[place]),
        "two": _by_hand(
            lambda place: [t for n, t in POSTS[place].get("captions", {}).items() if n == "two"]
        ),
    }
    told = _told(caption_quality([lexicon()], data, ["two"], DRAWS, _begin))
    assert list(told) == list(by_hand)
    for name, row in told.items():
        assert (row["P"], row["R"], row["F1"]) == pytest.approx(by_hand[name]), name
        if name != "own":
            assert row["difference"] == pytest.approx(row["F1"] - told["own"]["F1"])


def test_another_posts_captions_are_never_the_posts_own_and_each_is_used_once() -> None:
    own = [(f"caption {place}",) if place % 3 else () for place in range(20)]
    for seed in range(10):
        given = another_posts(own, seed)
        assert sorted(map(tuple, given)) == sorted(own)
        for mine, theirs in zip(own, given, strict=True):
            assert (mine != theirs) == bool(mine)
    assert another_posts(own, 1) == another_posts(own, 1) != another_posts(own, 2)


def test_several_models_stand_side_by_side(data: LabelledFile) -> None:
    findings = caption_counts([lexicon("a"), lexicon("b")], data, 1, DRAWS, _begin)
    assert [row[:2] for row in findings.rows] == [("0", "a"), ("0", "b"), ("1", "a"), ("1", "b")]


def test_a_model_that_reads_no_captions_is_refused(data: LabelledFile) -> None:
    blind = Group("blind", (LoadedModel("blind", BlindLexiconModel()),))
    with pytest.raises(InputError, match=r"blind reads no captions: .* text alone"):
        caption_counts([blind], data, 10, DRAWS, _begin)


def test_data_without_captions_is_refused(tmp_path: Path) -> None:
    post = {"tokens": ["paris"], "tags": ["B-LOC"]}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    with pytest.raises(InputError, match="no captions: give them in the records"):
        caption_quality([lexicon()], data, [], DRAWS, _begin)


def test_a_captioner_that_is_not_in_the_data_is_refused_with_those_that_are(data: LabelledFile) -> None:
    with pytest.raises(InputError, match=r"--captioner three: .* are by one, two"):
        caption_quality([lexicon()], data, ["three"], DRAWS, _begin)


def test_captions_are_read_in_order_of_their_captioners(data: LabelledFile) -> None:
    assert [list(captions_of(post)) for post in data.posts()] == [_captions(post) for post in POSTS]
