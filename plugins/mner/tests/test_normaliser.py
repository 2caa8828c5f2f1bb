"""One convention for data sets that differ in theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc.errors import InputError
from streamproc_mner.data.normaliser import LabelledPost, handles_of, normalise
from streamproc_mner.data.records import Record, read_records


def _record(*pairs: str) -> Record:
    tokens, tags = zip(*(pair.rsplit("/", 1) for pair in pairs), strict=True)
    return Record("1", tokens, tags)


def _entities(post: LabelledPost) -> list[tuple[str, str]]:
    return [
        (post.text[post.words[span.start].start : post.words[span.end - 1].end], span.type)
        for span in post.spans
    ]


def test_signs_leave_the_spans_whether_the_data_set_cuts_them_or_not() -> None:
    (whole,) = normalise([_record("@nasa/B-ORG", "and/O", "#NewYork/B-LOC")])
    (cut,) = normalise([_record("@/B-ORG", "nasa/I-ORG", "and/O", "#/O", "NewYork/B-LOC")])
    assert _entities(whole) == _entities(cut) == [("nasa", "ORG"), ("NewYork", "LOC")]
    assert [word.text for word in whole.words] == [word.text for word in cut.words]


def test_other_is_misc_and_unknown_types_are_named() -> None:
    (post,) = normalise([_record("Oscars/B-OTHER")])
    assert _entities(post) == [("Oscars", "MISC")]
    with pytest.raises(InputError, match="unknown type 'GPE'; known are LOC, MISC, ORG, PER"):
        normalise([_record("Paris/B-GPE")])


def test_mentions_of_a_set_that_keeps_handles_whole_are_unlabelled() -> None:
    kept = normalise([_record("@nasa/O", "in/O"), _record("dinner/O", "@/O", "Comerica/B-LOC")])
    assert [(sorted(post.mentions), post.mentions_labelled) for post in kept] == [([1], False), ([], False)]
    (cut,) = normalise([_record("@/O", "nasa/B-ORG")])
    assert (sorted(cut.mentions), cut.mentions_labelled) == ([1], True)


def test_how_posts_write_handles_is_told_by_one_whole_handle_before_any_at() -> None:
    at, whole = _record("dinner/O", "@/O", "Comerica/B-LOC"), _record("@nasa/O", "in/O")
    assert [handles_of(found) for found in ([at], [whole], [at, whole])] == ["cut", "whole", "whole"]
    assert [handles_of([_record(*words)]) for words in (["@/O"], ["a@b/O"], ["@/O", "!/O"])] == [None] * 3
    (post,) = normalise([at], handles="whole")
    assert (sorted(post.mentions), post.mentions_labelled) == ([], False)


def test_an_entity_that_the_tokenizer_cuts_finer_keeps_its_borders() -> None:
    (post,) = normalise([_record("in/O", "U.S./B-LOC", "of/I-LOC", "A/I-LOC", "today/O")])
    assert _entities(post) == [("U.S. of A", "LOC")]


def test_reads_jsonl_and_conll_alike(tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_text(
        '{"id": 7, "tokens": ["in", "Paris"], "tags": ["O", "B-LOC"], "captions": {"x": "a dog"}}\n\n'
    )
    columns = tmp_path / "a.txt"
    columns.write_text("IMGID:7\nin\tO\nParis\tB-LOC\n\n")
    (from_lines,), (from_columns,) = read_records(lines), read_records(columns)
    assert from_lines == Record("7", ("in", "Paris"), ("O", "B-LOC"), {"x": "a dog"})
    assert from_columns == Record("7", ("in", "Paris"), ("O", "B-LOC"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"tokens": ["a"], "tags": []}', "a.jsonl:1: .*1 tokens, but 0 tags"),
        ("a.jsonl", "nonsense", "a.jsonl:1: "),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["LOC"]}', "a.jsonl:1: tags.0"),
        ("a.txt", "in\tO\nParis\n", "a.txt:2: expected a token and its BIO tag"),
    ],
)
def test_a_line_that_is_not_labelled_tokens_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_records(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl: cannot be read"):
        read_records(tmp_path / "nowhere.jsonl")
