"""Labelled posts meet what `streamproc extract` saw in their pictures."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import InputError
from streamproc.settings import Vision
from streamproc.testing.visuals import example_value
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.extracting import FolderExtractor, find_pictures
from streamproc.vision.names import KNOWN
from streamproc.vision.visuals import Captions, DetectedObject, Missing, Objects, OcrText, Regions, Seen
from streamproc.wiring import make_picture_looker
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.posts import read_posts

WIDE, NARROW = 2048, 1024
CAPTIONS = example_value("captions")
OCR = example_value("ocr")


class _Example(Extractor):
    """Sees the example of its modality in every picture."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.modality = KNOWN[name].modality
        self.width = KNOWN[name].width

    async def version(self) -> str:
        return "1"

    async def extract(self, picture: Picture) -> Extracted:
        return Extracted(example_value(self.modality, width=self.width), "1")


async def _extract(pictures: Path, out: Path) -> None:
    looker = make_picture_looker(Vision(), pictures)
    names = ("ocr", "captions", "objects", "grid", "global", "global_inception", "regions")
    try:
        job = FolderExtractor(looker, [_Example(name) for name in names], pictures, out, at_once=2)
        await job.run(find_pictures(pictures), lambda: None)
    finally:
        await looker.close()


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `streamproc extract` wrote of three pictures, one of which is none."""
    pictures = tmp_path_factory.mktemp("pictures")
    (pictures / "img").mkdir()
    Image.new("RGB", (20, 10), "red").save(pictures / "7.png")
    Image.new("RGB", (10, 30), "blue").save(pictures / "img" / "tower.jpg")
    (pictures / "8.jpg").write_bytes(b"no picture")
    out = tmp_path_factory.mktemp("seen")
    asyncio.run(_extract(pictures, out))
    return out


def _read(folder: Path, seen: Path, *posts: dict[str, object], width: int = WIDE) -> list[LabelledPost]:
    path = folder / "posts.jsonl"
    whole = [{"tokens": ["in", "Paris"], "tags": ["O", "B-LOC"], **post} for post in posts]
    path.write_text("\n".join(map(json.dumps, whole)))
    return read_posts(path, pictures=ExtractedPictures(seen), widths={"global": width})


def test_text_and_arrays_are_as_the_extractors_gave_them(tmp_path: Path, extracted: Path) -> None:
    (post,) = _read(tmp_path, extracted, {"id": "7"})
    assert set(post.visuals) == {"ocr", "captions", "objects", "grid", "global", "regions"}
    assert post.visuals["ocr"] == Seen((OCR,))
    assert post.visuals["captions"] == Seen((CAPTIONS,))
    assert post.visuals["objects"] == Seen((example_value("objects"),))
    given = post.as_input("image+text")
    (grid,), (regions,) = given.seen("grid"), given.seen("regions")
    np.testing.assert_array_equal(grid, example_value("grid"))
    expected = example_value("regions")
    assert isinstance(regions, Regions)
    assert isinstance(expected, Regions)
    np.testing.assert_array_equal(regions.features, expected.features)
    np.testing.assert_array_equal(regions.boxes, expected.boxes)


def test_of_two_global_vectors_the_one_of_the_models_width_is_read(tmp_path: Path, extracted: Path) -> None:
    for width in (WIDE, NARROW):
        (post,) = _read(tmp_path, extracted, {"id": "7"}, width=width)
        (vector,) = post.as_input("image+text").seen("global")
        np.testing.assert_array_equal(vector, example_value("global", width=width))


def test_the_text_view_has_nothing_of_the_picture(tmp_path: Path, extracted: Path) -> None:
    (post,) = _read(tmp_path, extracted, {"id": "7", "alt": "a tower"})
    assert post.as_input("text").visuals == {}
    assert post.as_input("image+text").seen("alt") == ("a tower",)


def test_a_picture_is_found_by_its_path_before_the_posts_id(tmp_path: Path, extracted: Path) -> None:
    by_path, by_id, elsewhere, nameless = _read(
        tmp_path, extracted,
        {"id": "8", "image": "img/tower.jpg"}, {"id": "tower"}, {"id": "7", "image": "img/none.jpg"}, {},
    )  # fmt: skip
    assert by_path.visuals["ocr"] == by_id.visuals["ocr"] == Seen((OCR,))
    assert dict(elsewhere.visuals) == dict(nameless.visuals) == {}


def test_what_the_record_says_goes_above_what_was_extracted(tmp_path: Path, extracted: Path) -> None:
    (post,) = _read(
        tmp_path, extracted, {"id": "7", "captions": {"mine": "a cup"}, "objects": ["cup"], "ocr": []}
    )
    assert post.visuals["captions"] == Seen((Captions(("a cup",), (0.0,)),))
    assert post.visuals["objects"] == Seen((Objects((DetectedObject("cup", 1.0),)),))
    assert post.visuals["ocr"] == Seen((OcrText(()),))
    assert isinstance(post.visuals["grid"], Seen)


def test_a_picture_that_could_not_be_looked_at_is_unavailable_with_its_reason(
    tmp_path: Path, extracted: Path
) -> None:
    (post,) = _read(tmp_path, extracted, {"id": "8", "captions": ["a cup"]})
    for modality in ("ocr", "grid", "regions"):
        visual = post.visuals[modality]
        assert isinstance(visual, Missing)
        assert visual.status == "unavailable"
        assert "cannot be decoded" in str(visual.reason)
    assert isinstance(post.visuals["captions"], Seen), "the record's own are there all the same"


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "gone", "another shape", "a pickle"])
def test_arrays_that_cannot_be_read_are_named_when_they_are_wanted(
    tmp_path: Path, extracted: Path, damage: str
) -> None:
    seen = shutil.copytree(extracted, tmp_path / "seen")
    lines = [json.loads(line) for line in (seen / "pictures.jsonl").read_text().splitlines()]
    path = seen / next(line["grid"]["file"] for line in lines if line["picture"] == "7.png")
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-5000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        path.write_bytes(data[:3000] + bytes([data[3000] ^ 1]) + data[3001:])
    elif damage == "gone":
        path.unlink()
    elif damage == "another shape":
        np.savez(path, grid=np.zeros((48, WIDE), np.float16))
    else:
        np.savez(path, grid=np.array([{}], object))
    (post,) = _read(tmp_path, seen, {"id": "7"})
    assert isinstance(post.visuals["ocr"], Seen), "nobody asked for the grid yet"
    with pytest.raises(InputError, match=r"grid of 7\.png cannot be read: .*; extract it again"):
        post.visuals["grid"]
