"""`tag --explain` as a command: what it writes, how much of it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_explain_page import tag
from tests.explain.reading import read

POSTS: list[dict[str, Any]] = [
    {"id": "1", "text": "Ada in Berlin"},
    {"id": "2", "op": "delete"},
    {"id": "3", "text": ""},
    {"id": "4", "text": "Grace in Paris"},
    {"id": "5", "text": "Emmy in Erlangen"},
]


def titles(page: Path) -> list[str]:
    return [card.all("h2")[0].text() for card in read(page.read_text("utf-8")).all("article")]


def test_the_tags_are_the_same_with_a_page_and_without(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    plain = tag("--plugin", "explaining", posts=POSTS, folder=tmp_path)
    told = tag("--plugin", "explaining", "--explain", str(page), posts=POSTS, folder=tmp_path)
    lines = [[json.loads(line) for line in done.stdout.splitlines()] for done in (plain, told)]
    for tagged in (*lines[0], *lines[1]):
        del tagged["timings"]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 5
    assert titles(page) == ["test:1", "test:4", "test:5"]
    assert list(tmp_path.iterdir()) == [page], "no draft is left"


def test_only_so_many_posts_are_explained_and_the_page_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    tag(
        "--plugin",
        "explaining",
        "--explain",
        str(page),
        "--explain-limit",
        "1",
        posts=POSTS,
        folder=tmp_path,
    )
    assert titles(page) == ["test:1"]
    assert "1 of 3 tagged posts are shown" in page.read_text("utf-8")


def test_lines_that_cannot_be_tagged_are_counted_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = tag(
        "--plugin",
        "explaining",
        "--explain",
        str(page),
        posts=[{"text": "no id"}, POSTS[0]],
        folder=tmp_path,
    )
    assert done.returncode == 1
    assert titles(page) == ["test:1"]
    assert "1 line could not be tagged" in page.read_text("utf-8")


def test_there_is_no_page_where_the_command_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = tag("--plugin", "nobody", "--explain", str(page), folder=tmp_path)
    assert done.returncode != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--explain-limit", "3"), "give --explain FILE too"),
        (("--explain", "page.html", "--output", "./page.html"), "both name page.html"),
        (("--explain", "page.html", "--explain-limit", "0"), "x>=1"),
        (("--explain", "no/such/folder/page.html"), "cannot write no/such/folder/page.html"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    done = tag("--plugin", "explaining", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
