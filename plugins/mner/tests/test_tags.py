"""Tags of every scheme come to BIO2 with the same entities."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from streamproc_mner.data.tags import Fault, Scheme, faults, recognise_scheme, rename, to_bio2
from streamproc_mner.labels import Span, spans_of

Pieces = list[tuple[str, int]]
"""A post from left to right: entities by type and length, and `O` for a word outside."""

PIECES: st.SearchStrategy[Pieces] = st.lists(
    st.tuples(st.sampled_from(["O", "PER", "LOC"]), st.integers(1, 4)), max_size=6
)
POSTS = st.lists(PIECES, min_size=1, max_size=4)


def _spans(pieces: Pieces) -> list[Span]:
    spans, start = [], 0
    for entity, length in pieces:
        if entity != "O":
            spans.append(Span(start, start + length, entity))
        start += length
    return spans


def _write(pieces: Pieces, scheme: Scheme) -> list[str]:
    tags: list[str] = []
    before = "O"
    for entity, length in pieces:
        if entity == "O":
            tags += ["O"] * length
        elif scheme == "iob1":
            first = "B" if before == entity else "I"
            tags += [f"{first}-{entity}"] + [f"I-{entity}"] * (length - 1)
        elif scheme == "bio2":
            tags += [f"B-{entity}"] + [f"I-{entity}"] * (length - 1)
        elif length == 1:
            tags += [f"{'S' if scheme == 'bioes' else 'U'}-{entity}"]
        else:
            last = "E" if scheme == "bioes" else "L"
            tags += [f"B-{entity}"] + [f"I-{entity}"] * (length - 2) + [f"{last}-{entity}"]
        before = entity
    return tags


@given(posts=POSTS, scheme=st.sampled_from(["bio2", "iob1", "bioes", "bilou"]))
def test_what_a_scheme_writes_is_recognised_and_keeps_its_entities(
    posts: list[Pieces], scheme: Scheme
) -> None:
    assume(any(_spans(pieces) for pieces in posts))
    written = [_write(pieces, scheme) for pieces in posts]
    assert recognise_scheme(written) == scheme
    for pieces, tags in zip(posts, written, strict=True):
        assert faults(tags, scheme) == []
        assert to_bio2(tags) == _write(pieces, "bio2")
        assert spans_of(to_bio2(tags)) == _spans(pieces)


@given(tags=st.lists(st.sampled_from(["O", "B-A", "I-A", "B-C", "I-C"]), max_size=9))
def test_mended_bio2_has_the_entities_of_the_conll_scorer_and_no_fault(tags: list[str]) -> None:
    mended = to_bio2(tags)
    assert faults(mended) == []
    expected = [Span(first, last + 1, entity) for entity, first, last in get_entities(tags)]
    assert spans_of(mended) == expected
    broken = [index for index, tag in enumerate(tags) if mended[index] != tag]
    assert [fault.index for fault in faults(tags)] == broken


@given(tags=st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in "AC")]), max_size=8))
def test_any_bioes_comes_to_bio2_without_faults_word_by_word(tags: list[str]) -> None:
    mended = to_bio2(tags)
    assert faults(mended) == []
    assert [tag[1:] for tag in mended] == [tag[1:] for tag in tags]
    assert to_bio2(mended) == mended


@pytest.mark.parametrize(
    ("tags", "scheme", "expected"),
    [
        (["O", "I-PER"], "bio2", [(1, "I-PER after O: expected B-PER")]),
        (["I-PER"], "bio2", [(0, "I-PER at the beginning: expected B-PER")]),
        (["B-LOC", "I-PER", "I-PER"], "bio2", [(1, "I-PER after B-LOC: expected B-PER")]),
        (["B-LOC", "B-LOC", "I-LOC"], "bio2", []),
        (["I-LOC", "B-LOC", "I-PER"], "iob1", []),
        (["S-A", "B-A", "E-A", "S-C"], "bioes", []),
        (["O", "E-A"], "bioes", [(1, "A has no beginning: expected B-A")]),
        (["S-A", "I-A"], "bioes", [(1, "A has no beginning: expected B-A"), (1, "A has no end")]),
        (["B-A", "O"], "bioes", [(0, "A has no end")]),
        (["B-A", "E-C"], "bilou", [(1, "'E-C' is no tag: expected O, B-TYPE, I-TYPE, L-TYPE or U-TYPE")]),
        (["B-A", "B-A", "L-A"], "bilou", [(0, "A has no end")]),
    ],
)
def test_what_breaks_a_scheme_is_named(
    tags: Sequence[str], scheme: Scheme, expected: list[tuple[int, str]]
) -> None:
    found = faults(tags, scheme)
    assert [fault.index for fault in found] == [index for index, _ in expected]
    for fault, (_, message) in zip(found, expected, strict=True):
        assert fault.message.startswith(message)


@pytest.mark.parametrize(
    ("tags", "mended"),
    [
        ("B-A E-A I-A", "B-A I-A B-A"),
        ("S-A E-A", "B-A B-A"),
        ("B-A I-C E-C", "B-A B-C I-C"),
        ("B-A O L-A", "B-A O B-A"),
        ("U-A U-A L-A", "B-A B-A B-A"),
    ],
)
def test_what_continues_nothing_begins_an_entity_in_every_scheme(tags: str, mended: str) -> None:
    assert " ".join(to_bio2(tags.split())) == mended


@pytest.mark.parametrize("tag", ["PER", "B-", "b-PER", "B_PER", "", "O-PER", "M-PER", "B-a b"])
def test_what_is_no_tag_cannot_be_mended(tag: str) -> None:
    (fault,) = faults(["O", tag, "I-LOC"])
    assert fault == Fault(1, f"{tag!r} is no tag: expected O, B-TYPE or I-TYPE", False)


def test_a_number_is_said_to_be_one() -> None:
    (fault,) = faults(["3"])
    assert fault.message == "the number 3 is no tag: expected O, B-TYPE or I-TYPE"


@pytest.mark.parametrize(
    ("posts", "scheme"),
    [
        ([["O", "O"]], "bio2"),
        ([["I-A"], ["B-A", "I-A"]], "bio2"),  # IOB1 would have no B- here: broken BIO2
        ([["I-A", "B-A"], ["I-A"]], "iob1"),
        ([["B-A", "I-A", "O"], ["S-A"]], "bioes"),
        ([["B-A", "L-A"], ["3", ""]], "bilou"),
    ],
)
def test_a_scheme_is_told_by_its_letters_and_by_where_entities_begin(
    posts: list[list[str]], scheme: Scheme
) -> None:
    assert recognise_scheme(posts) == scheme


def test_types_are_renamed_and_left_out() -> None:
    tags = ["B-OTHER", "I-OTHER", "O", "B-DATE", "I-DATE", "B-PER"]
    assert rename(tags, {"OTHER": "MISC", "DATE": "O"}) == ["B-MISC", "I-MISC", "O", "O", "O", "B-PER"]
