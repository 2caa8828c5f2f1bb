"""Released forms of labelled posts come to one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.errors import InputError
from streamproc.vision.visuals import DetectedObject
from streamproc_mner.data.convert import convert, write_records
from streamproc_mner.data.records import Record, read_records

RELEASED = "IMGID:17_06_1\nAda\tB-PER\nLovelace\tI-PER\nat\tO\nExpo\tB-OTHER\n\nIMGID:17_06_2\nrain\tO\n\n"


@pytest.fixture
def released(tmp_path: Path) -> Path:
    path = tmp_path / "train.txt"
    path.write_text(RELEASED)
    return path


def test_the_released_text_comes_to_json_lines_that_are_read_as_they_were(
    released: Path, tmp_path: Path
) -> None:
    found = convert(released)
    write_records(tmp_path / "out" / "train.jsonl", found.records)
    again = read_records(tmp_path / "out" / "train.jsonl")
    assert [replace(post, image=None) for post in again] == read_records(released)
    assert [post.image for post in again] == ["17_06_1.jpg", "17_06_2.jpg"]
    assert (found.scheme, found.mended, found.empty) == ("bio2", 0, 0)
    assert found.entities == {"PER": 1, "OTHER": 1}


def test_types_are_renamed_and_those_that_are_not_there_are_named(released: Path) -> None:
    found = convert(released, types={"OTHER": "MISC", "GPE": "LOC"})
    assert found.entities == {"PER": 1, "MISC": 1}
    assert found.not_there == ("GPE",)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O I-PER I-PER B-PER O I-LOC", "iob1"),
        ("O B-PER E-PER S-PER O S-LOC", "bioes"),
        ("O B-PER L-PER U-PER O U-LOC", "bilou"),
        ("O B-PER I-PER B-PER O B-LOC", "bio2"),
    ],
)
def test_every_scheme_comes_to_bio2(tmp_path: Path, tags: str, scheme: str) -> None:
    path = tmp_path / "a.conll"
    path.write_text("".join(f"w{n} x {tag}\n" for n, tag in enumerate(tags.split())))
    found = convert(path)
    assert (found.scheme, found.mended) == (scheme, 0)
    (post,) = found.records
    assert " ".join(post.tags) == "O B-PER I-PER B-PER O B-LOC"


def test_posts_without_a_name_get_one_of_file_and_line(tmp_path: Path) -> None:
    columns = tmp_path / "train.conll"
    columns.write_text("a O\n\nb O\nc O\n")
    objects = tmp_path / "valid.jsonl"
    objects.write_text('{"tokens": ["a"], "tags": ["O"]}\n')
    posts = [*convert(columns).records, *convert(objects).records]
    assert [(post.id, post.image) for post in posts] == [
        ("train-1", None), ("train-3", None), ("valid-1", None),
    ]  # fmt: skip


def test_what_json_lines_say_of_the_picture_is_kept(tmp_path: Path) -> None:
    full = Record(
        "7", ("Ñandú", "😀"), ("B-MISC", "O"), {"x": "a bird"}, (DetectedObject("bird", 0.5, ("grey",)),),
        (), "a bird", "birds/7.png",
    )  # fmt: skip
    bare = Record("8", ("a",), ("O",))
    path = tmp_path / "a.jsonl"
    write_records(path, [full, bare])
    assert list(convert(path).records) == [full, bare]
    assert path.read_text().splitlines()[1] == '{"id": "8", "tokens": ["a"], "tags": ["O"]}'


def test_tags_that_break_their_scheme_are_refused_or_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\tB-PER\n\nb\tO\nc\tI-LOC\n\nd\tI-ORG\n")
    with pytest.raises(InputError) as caught:
        convert(path)
    assert (
        str(caught.value)
        == f"{path}:4: I-LOC after O: expected B-LOC in bio2, and 1 more; --repair mends it"
    )
    found = convert(path, repair=True)
    assert found.mended == 2
    assert [post.tags for post in found.records] == [("B-PER",), ("O", "B-LOC"), ("B-ORG",)]


def test_a_scheme_that_is_named_is_the_one_that_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\tI-PER\nb\tI-PER\n")
    assert convert(path).scheme == "iob1"
    with pytest.raises(InputError, match="I-PER at the beginning: expected B-PER in bio2; --repair"):
        convert(path, scheme="bio2")
    path.write_text("a\tB-PER\nb\tE-PER\n")
    with pytest.raises(
        InputError, match=r"'E-PER' is no tag: expected .* in bio2; --scheme names another scheme"
    ):
        convert(path, scheme="bio2", repair=True)


def test_posts_without_tokens_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("IMGID:1\n\nIMGID:2\na\tO\n\nIMGID:3\n")
    found = convert(path)
    assert ([post.id for post in found.records], found.empty) == (["2"], 2)


def test_a_line_that_cannot_be_read_is_refused_though_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\tO\nb\n")
    with pytest.raises(InputError, match=r"a\.txt:2: expected a token and its BIO tag"):
        convert(path, repair=True)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder is wanted")
    with pytest.raises(InputError, match=r"x\.jsonl: cannot be written"):
        write_records(tmp_path / "a" / "x.jsonl", [])
