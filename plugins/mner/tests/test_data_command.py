"""`streamproc data` as a person and a script use it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from plugins import commands
from streamproc_mner.data.records import read_records

_data = partial(commands.run, "data")
_refused = partial(commands.refused, "data")

GOOD = "IMGID:1\nAda\tB-PER\nat\tO\nExpo\tB-OTHER\n\nIMGID:2\nrain\tO\n\n"
LOOSE = "IMGID:3\nin\tO\nOslo\tI-LOC\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text(GOOD)
    (tmp_path / "valid.txt").write_text(LOOSE)
    return tmp_path


def test_convert_says_what_it_found_and_writes_it(folder: Path) -> None:
    done = _data("convert", folder / "train.txt", "--out", folder / "new.jsonl", "--types", "OTHER=MISC")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert done.stderr == f"{folder}/train.txt: 2 posts, tags in bio2, 2 entities: 1 MISC, 1 PER\n"
    assert [post.tags for post in read_records(folder / "new.jsonl")] == [("B-PER", "O", "B-MISC"), ("O",)]


def test_convert_refuses_loose_tags_until_told_to_mend_them(folder: Path) -> None:
    out = folder / "new.jsonl"
    arguments = ("convert", folder / "valid.txt", "--scheme", "bio2", "--out", out)
    assert _refused(*arguments) == (
        2, f"error: {folder}/valid.txt:3: I-LOC after O: expected B-LOC in bio2; --repair mends it",
    )  # fmt: skip
    assert not out.exists()
    done = _data(*arguments, "--repair", "--types", "GPE=LOC", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "posts": 1, "scheme": "bio2", "entities": {"LOC": 1}, "mended": 1, "empty": 0,
    }  # fmt: skip
    assert "tags that broke bio2 and were mended: 1\n--types: there is no GPE\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "new.txt"), "expected a name that ends in .jsonl"),
        (("--out", "new.jsonl", "--types", "OTHER"), "--types OTHER: expected OLD=NEW"),
        (("--out", "new.jsonl", "--types", "=PER"), "--types =PER: expected OLD=NEW"),
    ],
)
def test_convert_says_what_is_wrong_with_its_flags(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, line = _refused("convert", folder / "train.txt", *arguments)
    assert code == 2
    assert message in line


def test_convert_does_not_write_over_what_it_reads(folder: Path) -> None:
    (folder / "x").mkdir()
    source = folder / "a.jsonl"
    source.write_text('{"tokens": ["a"], "tags": ["O"]}\n')
    code, line = _refused("convert", source, "--out", folder / "x" / ".." / "a.jsonl")
    assert (code, "is SOURCE: name another file" in line) == (2, True)


def test_check_of_a_good_data_set(folder: Path) -> None:
    done = _data("check", folder / "train.txt")
    assert done.exit_code == 0, done.output
    rows = {line[: line.rindex(" ")].strip(): line.split()[-1] for line in done.output.splitlines()}
    assert (rows["posts"], rows["entities"], rows["PER"], rows["OTHER"], rows["LOC"]) == (
        "2",
        "2",
        "1",
        "1",
        "-",
    )
    assert done.output.endswith("\nno faults\n")


def test_check_names_faults_and_what_to_do(folder: Path) -> None:
    (folder / "valid.txt").write_text(LOOSE * 7 + "IMGID:9\nrain\tO\n")
    done = _data("check", folder)
    assert done.exit_code == 1
    assert f"{folder}/valid.txt:3: I-LOC after O: expected B-LOC\n" in done.output
    assert f"{folder}/valid.txt: and 2 more; --json lists all\n" in done.output
    assert "with --repair it mends" in done.output
    assert "train.txt and valid.txt: same text in both (1): train.txt:6 = valid.txt:29\n" in done.output
    assert "no faults" not in done.output


def test_check_for_scripts_has_all_of_it(folder: Path) -> None:
    (folder / "valid.txt").write_text(LOOSE * 7)
    pictures = folder / "pictures"
    pictures.mkdir()
    (pictures / "1.jpg").write_bytes(b"")
    done = _data("check", folder, "--pictures", pictures, "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)
    train, valid = found["files"]
    assert (found["good"], found["overlaps"]) == (False, [])
    assert (train["posts"], train["entities"], train["pictures"]["missing"]) == (
        2,
        {"PER": 1, "OTHER": 1},
        [6],
    )
    assert [bad["line"] for bad in valid["bad"]] == [3, 7, 11, 15, 19, 23, 27]
    assert valid["bad"][0]["message"] == "I-LOC after O: expected B-LOC"
    assert valid["repeated"] == {"text": 6, "id": 6}


def test_check_names_posts_without_a_picture(folder: Path) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "1.jpg").write_bytes(b"")
    done = _data("check", folder / "train.txt", "--pictures", folder / "pictures")
    assert done.exit_code == 0, "posts without a picture are posts all the same"
    assert "train.txt: no picture for the posts in lines 6\n" in done.output


def test_convert_says_which_posts_it_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("IMGID:1\n\nIMGID:2\na\tO\n")
    done = _data("convert", tmp_path / "a.txt", "--out", tmp_path / "a.jsonl")
    assert "posts without tokens, left out: 1\n" in done.stderr


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.txt").write_text("a\tB-GPE\n")
    done = _data("check", tmp_path / "one", tmp_path / "two")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0].split() == ["one/train.txt", "two/train.txt"]
    assert "two/train.txt: types other than PER, LOC, ORG, MISC: GPE" in done.output
