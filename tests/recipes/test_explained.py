"""A trained network in the pipeline, with pictures: its types and its attention follow the picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.recipes.explained import PICTURES, POSTS, draw, type_of


@pytest.mark.parametrize(
    ("name", "attention"),
    [
        ("yu2020/adacan-bert-crf", "visual attention"),
        ("yu2020/gvatt-bert-crf", "visual attention"),
        ("yu2020/umt-bert-crf", "word-aware visual attention"),
    ],
)
def test_what_is_tagged_and_drawn_follows_the_picture(name: str, attention: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    tagged = draw(name, tmp_path, page)
    assert len(tagged) == len(POSTS)
    right = total = 0
    for post, (_, picture) in zip(tagged, POSTS, strict=True):
        if picture is not None:
            digest = hashlib.sha256((PICTURES / picture).read_bytes()).hexdigest()
            total += len(post["entities"])
            right += sum(entity["type"] == type_of(digest) for entity in post["entities"])
    assert total >= 7
    assert right >= total - 1
    html = page.read_text("utf-8")
    assert attention in html
    assert html.count("data:image/jpeg;base64,") == len(POSTS) - 1
