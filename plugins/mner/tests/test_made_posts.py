"""Made posts: what decides in them, and that nothing else does."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from streamproc.errors import SettingsError
from streamproc_mner.cli.data import command
from streamproc_mner.data.made_posts import make_posts
from streamproc_mner.data.posts import read_posts
from streamproc_mner.data.records import Record, read_records


def _kind(post: Record) -> str:
    return post.id.rsplit("-", 2)[0]


def _type(post: Record) -> str:
    (tag,) = (tag for tag in post.tags if tag != "O")
    assert tag.startswith("B-")
    return tag[2:]


def _text(post: Record) -> str:
    """With the name left open, as the others have another one."""
    return " ".join(
        "{}" if tag != "O" else token for token, tag in zip(post.tokens, post.tags, strict=True)
    )


def _name(post: Record) -> str:
    (name,) = (token for token, tag in zip(post.tokens, post.tags, strict=True) if tag != "O")
    return name


def _seen(post: Record) -> tuple[object, ...]:
    """What is seen, the name left open."""
    ocr = tuple(line.replace(_name(post), "{}") for line in post.ocr or ())
    return (*post.captions.values(), ocr, (post.alt or "").replace(_name(post), "{}"))


def _types_by(posts: list[Record], key: Callable[[Record], object], least: int) -> list[set[str]]:
    """The types that occur with each value that occurs often enough to tell."""
    found: dict[object, list[str]] = defaultdict(list)
    for post in posts:
        found[key(post)].append(_type(post))
    types = [set(occurring) for occurring in found.values() if len(occurring) >= least]
    assert len(types) > 10
    return types


def test_where_the_text_decides_it_alone_tells_the_type() -> None:
    posts = make_posts("text-decides", 4000, seed=3)
    assert {len(types) for types in _types_by(posts, _text, least=2)} == {1}
    assert all(len(types) > 2 for types in _types_by(posts, _seen, least=20))
    assert all(post.alt is None for post in posts)


def test_where_the_picture_decides_it_alone_tells_the_type() -> None:
    posts = make_posts("picture-decides", 4000, seed=3)
    assert {len(types) for types in _types_by(posts, _seen, least=2)} == {1}
    assert all(len(types) > 1 for types in _types_by(posts, _text, least=10))
    # Not even the name does: each stands for several types.
    assert all(len(types) > 1 for types in _types_by(posts, _name, least=20))
    told_by_alt = sum(post.alt is not None for post in posts)
    assert 300 < told_by_alt < 500


def test_mixed_posts_are_half_of_each_and_say_which_they_are() -> None:
    posts = make_posts("mixed", 501, seed=1)
    assert Counter(map(_kind, posts)) == {"picture-decides": 251, "text-decides": 250}
    assert len({post.id for post in posts}) == 501
    assert posts == make_posts("mixed", 501, seed=1)
    assert posts != make_posts("mixed", 501, seed=2)


def test_make_writes_posts_that_are_read_back(tmp_path: Path) -> None:
    out = tmp_path / "made.jsonl"
    arguments = [
        "make",
        "--kind",
        "picture-decides",
        "--posts",
        "40",
        "--seed",
        "5",
        "--out",
        str(out),
        "--json",
    ]
    told = json.loads(CliRunner().invoke(command, arguments).stdout)
    assert (told["posts"], told["deciding"], sum(told["entities"].values())) == (
        40,
        {"picture-decides": 40},
        40,
    )
    assert read_records(out) == make_posts("picture-decides", 40, seed=5)
    posts = read_posts(out)
    assert all(len(post.spans) == 1 and {"captions", "ocr"} <= set(post.visuals) for post in posts)


def test_make_refuses_a_name_that_would_not_be_read_as_what_it_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["make", "--out", str(tmp_path / "made.txt")])
    assert isinstance(result.exception, SettingsError)
    assert "ends in .jsonl" in str(result.exception)
    assert not list(tmp_path.iterdir())
