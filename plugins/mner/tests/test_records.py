"""Labelled posts as their files have them; what a file should not hold is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.errors import InputError
from streamproc.vision.visuals import DetectedObject
from streamproc_mner.data.records import Record, read_records

POSTS = [Record("7", ("in", "Paris"), ("O", "B-LOC")), Record("8", ("hi",), ("O",))]


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "IMGID:7\nin\tO\nParis\tB-LOC\n\nIMGID:8\nhi\tO\n\n",
        "IMGID:7\nin\tO\nParis\tB-LOC\nIMGID:8\nhi\tO",
        "IMGID:7\r\nin\tO\r\nParis\tB-LOC\r\n\r\nIMGID: 8\r\nhi\tO\r\n",
        "\ufeffIMGID:7\nin\tO\nParis\tB-LOC\n\n\n\nIMGID:8\nhi\tO\n",
        "-DOCSTART- -X- O\n\nIMGID:7\nin IN B-PP O\nParis NNP B-NP B-LOC\n \nIMGID:8\nhi UH O O \n",
        "# id one\n#two\nIMGID:7\nin  O\nParis O B-LOC".replace(" O B", " B")
        + "\n\n# id x domain=en\nIMGID:8\nhi O\n",
    ],
)
def test_columns_of_every_kind_are_read_alike(tmp_path: Path, content: str) -> None:
    assert read_records(_file(tmp_path, "a.txt", content)) == POSTS


def test_hashtags_and_signs_are_tokens_where_they_have_a_tag(tmp_path: Path) -> None:
    content = "# O\n#NBA O\n\xa0 O\n"
    for text in (content, content.replace(" O", "\tO")):
        (post,) = read_records(_file(tmp_path, "a.conll", text))
        assert post.tokens == ("#", "#NBA", "\xa0")


def test_every_field_of_a_json_line_is_read(tmp_path: Path) -> None:
    line = {
        "id": 7,
        "tokens": ["in", "Paris"],
        "tags": ["O", "B-LOC"],
        "image": "pictures/7.png",
        "captions": ["a tower", "people"],
        "objects": ["tower", {"name": "person", "score": 0.5, "attributes": ["tall"]}],
        "ocr": "PARIS 2024",
        "alt": "the tower",
        "author": "passed over",
    }
    (post,) = read_records(_file(tmp_path, "a.jsonl", json.dumps(line)))
    assert post == Record(
        "7",
        ("in", "Paris"),
        ("O", "B-LOC"),
        captions={"0": "a tower", "1": "people"},
        objects=(DetectedObject("tower", 1.0), DetectedObject("person", 0.5, ("tall",))),
        ocr=("PARIS 2024",),
        alt="the tower",
        image="pictures/7.png",
    )


def test_objects_are_known_by_their_first_line_whatever_the_name(tmp_path: Path) -> None:
    (post,) = read_records(_file(tmp_path, "a.json", '\n{"id": "8", "tokens": ["hi"], "tags": ["O"]}\n'))
    assert post == POSTS[1]


MENDS = "; streamproc data convert --repair mends it"
BRINGS = "; streamproc data convert brings other schemes to BIO2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("in\tO\nParis\n", "2: expected a token and its BIO tag, got 'Paris'"),
        ("in\tO\n#Paris\n", "2: expected a token and its BIO tag, got '#Paris'"),
        ("in\tO\n\tO\n", "2: expected a token before the first tab, got '\\tO'"),
        (
            "in\tO\nNew\tYork\tB-LOC\n",
            "2: 3 columns, where line 1 has 2: 'New\\tYork\\tB-LOC'; a token holds "
            "no tab, nor a space where spaces part the columns",
        ),
        ("in\tO\nParis\tLOC\n", "2: 'LOC' is no tag: expected O, B-TYPE or I-TYPE"),
        ("in\tO\nParis\t3\n", "2: the number 3 is no tag: expected O, B-TYPE or I-TYPE"),
        ("in\tO\n\nParis\tI-LOC\n", f"3: I-LOC at the beginning: expected B-LOC{MENDS}"),
        ("in\tO\nParis\tI-LOC\n", f"2: I-LOC after O: expected B-LOC{MENDS}"),
        ("in\tO\nParis\tS-LOC\n", f"2: 'S-LOC' is no tag: expected O, B-TYPE or I-TYPE{BRINGS}"),
        ("IMGID:1\n\nIMGID:2\nin\tO\n", "1: a post without tokens; streamproc data convert leaves it out"),
        (b"in\tO\ncaf\xe9\tO\n", "2: not UTF-8: byte 0xe9: save the file as UTF-8"),
    ],
)
def test_a_line_of_columns_that_is_not_what_it_should_be(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = _file(tmp_path, "a.txt", content)
    with pytest.raises(InputError) as caught:
        read_records(path)
    assert str(caught.value) == f"{path}:{message}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"tokens": ["in", "Paris"], "tags": ["O", "I-LOC"]}',
            f"tags.1: I-LOC after O: expected B-LOC{MENDS}",
        ),
        (
            '{"tokens": ["Paris"], "tags": ["U-LOC"]}',
            f"tags.0: 'U-LOC' is no tag: expected O, B-TYPE or I-TYPE{BRINGS}",
        ),
        (
            '{"tokens": ["Paris"], "tags": [3]}',
            "tags.0: the number 3 is no tag: expected O, B-TYPE or I-TYPE",
        ),
        ('{"tokens": ["a", "b"], "tags": ["O"]}', "line: 2 tokens, but 1 tags"),
        (
            '{"tokens": ["a\\tO", "b"], "tags": ["O", "O"]}',
            "tokens.0: a token that holds '\\t': 'a\\tO'",
        ),
        ('{"tokens": ["a", ""], "tags": ["O", "O"]}', "tokens.1: an empty token"),
        ('{"tokens": [], "tags": []}', "a post without tokens; streamproc data convert leaves it out"),
        ('{"id": "1", "text": "in Paris"}', "no 'tokens': expected a labelled post, with tokens and tags"),
        ('["in", "Paris"]', "line: Input should be an object"),
        (
            '{"tokens": ["a"], "tags": ["B-LOC"], "tags": ["O"]}',
            "the key 'tags' stands twice in one object: keep one",
        ),
        (
            '{"tokens": ["a"], "tags": ["O"], "captions": {"x": "a dog", "x": "a cat"}}',
            "the key 'x' stands twice in one object: keep one",
        ),
        ('{"tokens": ["a"], "tags": ["O"], "captions": "a dog"}', "captions: Input should be an object"),
    ],
)
def test_a_json_line_that_is_not_what_it_should_be(tmp_path: Path, line: str, message: str) -> None:
    path = _file(tmp_path, "a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n\n' + line)
    with pytest.raises(InputError) as caught:
        read_records(path)
    assert str(caught.value) == f"{path}:3: {message}"


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_a_file_without_posts_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: is empty: expected labelled posts"):
        read_records(_file(tmp_path, name, "\n \n"))


def test_a_file_of_comments_has_no_posts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.txt: holds no posts"):
        read_records(_file(tmp_path, "a.txt", "# nothing here\n\n-DOCSTART-\tO\n"))


def test_repair_mends_what_continues_nothing_and_nothing_else(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "in\tO\nNew\tI-LOC\nYork\tI-LOC\nCity\tI-ORG\n")
    (post,) = read_records(path, repair=True)
    assert post.tags == ("O", "B-LOC", "I-LOC", "B-ORG")
    with pytest.raises(InputError, match="'LOC' is no tag: expected O"):
        read_records(_file(tmp_path, "a.txt", "in\tO\nParis\tLOC\n"), repair=True)


def test_what_separates_lines_for_unicode_only_stays_in_its_token(tmp_path: Path) -> None:
    (post,) = read_records(_file(tmp_path, "a.txt", "a\u2028b\tO\n\x85\tB-PER\n"))
    assert post.tokens == ("a\u2028b", "\x85")
