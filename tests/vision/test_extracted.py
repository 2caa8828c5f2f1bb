"""Reading what `streamproc extract` wrote: which picture a name means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.errors import InputError
from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.visuals import Missing, OcrText, Seen


def extracted(folder: Path, *pictures: str) -> ExtractedPictures:
    lines = [
        {"picture": name, "digest": "0", "ocr": {"version": "1", "value": {"lines": []}}}
        for name in pictures
    ]
    (folder / "pictures.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ExtractedPictures(folder)


@pytest.mark.parametrize("name", ["set/images/17.jpg", "images/17.jpg", "17.jpg", "images/17", "17"])
def test_a_picture_is_found_by_its_path_and_by_the_end_of_it(tmp_path: Path, name: str) -> None:
    found = extracted(tmp_path, "set/images/17.jpg", "set/images/18.v2.jpg")
    assert found.find(name) == "set/images/17.jpg"
    assert found.find("18.v2") == "set/images/18.v2.jpg"


def test_a_name_of_two_pictures_or_of_none_means_none(tmp_path: Path) -> None:
    found = extracted(tmp_path, "a/17.jpg", "b/17.jpg")
    assert found.find("17.jpg") is None
    assert found.find("a/17") == "a/17.jpg"
    assert found.find("7.jpg") is None, "the end of a path, not of a name"


def test_what_was_not_looked_at_has_nothing_and_a_failure_says_why(tmp_path: Path) -> None:
    found = extracted(tmp_path, "17.jpg")
    assert dict(found.visuals(None, {})) == {}
    assert dict(found.visuals("17.jpg", {})) == {"ocr": Seen((OcrText(()),))}
    line = {"picture": "18.jpg", "digest": None, "ocr": {"version": "1", "failure": "cut off"}}
    (tmp_path / "pictures.jsonl").write_text(json.dumps(line) + "\n")
    failed = ExtractedPictures(tmp_path)
    assert dict(failed.visuals("18.jpg", {})) == {"ocr": Missing("unavailable", "cut off")}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pictures\.jsonl with pictures in it"):
        ExtractedPictures(tmp_path)
