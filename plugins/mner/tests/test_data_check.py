"""What is wrong with a data set is found before anything is trained on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamproc.cli.main import cli
from streamproc.errors import InputError
from streamproc_mner.data.checking import CheckedFile, check_data


def _post(id: str, words: str, tags: str = "", **more: object) -> str:
    tokens = words.split()
    return json.dumps({"id": id, "tokens": tokens, "tags": tags.split() or ["O"] * len(tokens), **more})


def _file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _only(path: Path, pictures: Path | None = None) -> CheckedFile:
    (file,) = check_data([path], pictures).files
    return file


def test_counts_what_a_file_holds(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "train.jsonl",
        _post("1", "Ada at Expo", "B-PER O B-OTHER", captions=["x"], ocr=[]),
        _post("2", "rain", alt="grey", objects=["cloud"], image="2.png"),
        _post("3", "Ada Lovelace", "B-PER I-PER", captions={"a": "x"}),
    )  # fmt: skip
    file = _only(path)
    assert (file.posts, file.tokens, file.split) == (3, 6, "train")
    assert file.entities == {"PER": 2, "OTHER": 1}
    assert file.seen == {"captions": 2, "ocr": 1, "alt": 1, "objects": 1, "image": 1}
    assert check_data([path]).good


def test_every_bad_line_and_tag_is_found_with_its_line(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "train.txt",
        "a\tI-PER", "b\tO", "", "c\tO", "d", "e\tI-PER", "", "IMGID:9", "", "f\tB-LOC", "g\tLOC", "h\tO",
    )  # fmt: skip
    file = _only(path)
    assert [bad.number for bad in file.bad] == [1, 5, 11]
    assert file.empty == [8]
    assert file.entities == {"PER": 1}, "as --repair makes them; a post with what is no tag gives none"
    assert not check_data([path]).good


def test_an_empty_post_alone_is_a_fault(tmp_path: Path) -> None:
    assert not check_data([_file(tmp_path, "a.txt", "IMGID:9", "", "a\tO")]).good


def test_types_of_no_paper_are_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "a\tB-GPE", "b\tB-OTHER", "c\tB-MISC", "d\tB-DATE", "e\tB-PER")
    assert _only(path).strange_types == ["DATE", "GPE"]


def test_posts_that_come_again_are_counted_but_no_fault(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "a.jsonl", _post("1", "x y"), _post("2", "x y"), _post("2", "z"), _post("3", "x y"),
        '{"tokens": ["u"], "tags": ["O"]}', '{"tokens": ["v"], "tags": ["O"]}',
    )  # fmt: skip
    checked = check_data([path])
    assert checked.files[0].repeated == {"text": 2, "id": 1}
    assert checked.good


def test_splits_that_share_posts_are_a_fault(tmp_path: Path) -> None:
    _file(tmp_path, "train.jsonl", _post("1", "x y"), _post("2", "z"), _post("3", "w"))
    _file(tmp_path, "valid.jsonl", _post("9", "q"), _post("8", "x y"), _post("7", "x y"))
    _file(tmp_path, "test.jsonl", _post("3", "other words"))
    checked = check_data([tmp_path])
    assert [file.split for file in checked.files] == ["train", "valid", "test"]
    assert [([path.name for path in o.files], o.key, o.pairs) for o in checked.overlaps] == [
        (["train.jsonl", "valid.jsonl"], "text", ((1, 2), (1, 3))),
        (["train.jsonl", "test.jsonl"], "id", ((3, 1),)),
    ]
    assert not checked.good


def test_train_parts_of_two_data_sets_may_share_posts_but_not_with_the_valid_part(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _file(tmp_path / name, "train.jsonl", _post("1", "x"))
    assert check_data([tmp_path / "one", tmp_path / "two"]).good
    _file(tmp_path / "two", "valid.jsonl", _post("5", "x"))
    checked = check_data([tmp_path / "one", tmp_path / "two"])
    assert [overlap.files[0].parent.name for overlap in checked.overlaps] == ["one", "two"]


def test_of_a_split_in_two_forms_the_one_that_training_reads_is_checked(tmp_path: Path) -> None:
    _file(tmp_path, "train.txt", "a\tO")
    path = _file(tmp_path, "train.jsonl", _post("1", "x"))
    assert [file.path for file in check_data([tmp_path, path]).files] == [path]


def test_files_of_one_folder_that_write_handles_otherwise_are_told_and_no_fault(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _file(tmp_path / name, "train.jsonl", _post("1", "@nasa x"), _post("2", "@ nasa"))
        _file(tmp_path / name, "test.jsonl", _post("5", "nobody"))
    _file(tmp_path / "two", "valid.jsonl", _post("3", "y @ nasa"))
    alike, mixed = (
        CliRunner().invoke(cli, ["data", "check", str(tmp_path / name)]) for name in ("one", "two")
    )
    assert "@name" not in alike.stdout
    assert "@name is one token in train.jsonl, two in valid.jsonl: trained on together" in mixed.stdout
    assert (alike.exit_code, mixed.exit_code) == (0, 0)
    told = CliRunner().invoke(cli, ["data", "check", "--json", str(tmp_path / "two")])
    assert [file["handles"] for file in json.loads(told.stdout)["files"]] == ["whole", "cut", None]


def _pictures(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        _file(folder, name, "bytes")
    return folder


def test_posts_without_a_picture_file_are_named(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "a.jsonl", _post("1", "a"), _post("2", "b", image="img/b.png"), _post("3", "c"),
        _post("4", "d", image="img/none.png"), '{"tokens": ["e"], "tags": ["O"]}',
    )  # fmt: skip
    file = _only(path, _pictures(tmp_path / "pictures", ["1.jpg", "img/b.png", "4.jpg", "3.txt"]))
    assert file.pictures is not None
    assert file.pictures.missing == [3, 4, 5]
    assert file.pictures.extracted == {}


def test_what_extract_saw_is_counted_by_extractor(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", _post("1", "a"), _post("2", "b"), _post("3", "c"))
    lines = [
        {
            "picture": "sub/1.jpg",
            "digest": "d",
            "ocr": {"value": {"lines": []}},
            "grid": {"file": "grid/d.npz"},
        },
        {"picture": "2.jpg", "digest": "e", "ocr": {"failure": "cannot be decoded"}},
    ]
    seen = _file(tmp_path / "seen", "pictures.jsonl", *map(json.dumps, lines)).parent
    file = _only(path, seen)
    assert file.pictures is not None
    assert file.pictures.missing == [3]
    assert file.pictures.extracted == {"ocr": 1, "grid": 1}
    assert file.pictures.failed == {"ocr": 1}


def test_folders_without_splits_or_pictures_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path / "data", "posts.jsonl", _post("1", "a"))
    with pytest.raises(InputError, match="expected train, dev, valid, test in it"):
        check_data([tmp_path / "data"])
    with pytest.raises(InputError, match="no pictures below it"):
        check_data([path], tmp_path / "data")
    with pytest.raises(InputError, match="no such folder"):
        check_data([path], tmp_path / "nowhere")
