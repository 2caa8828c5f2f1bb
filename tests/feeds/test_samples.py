"""The demo's samples are what the demo says they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

import streamproc
from streamproc.feeds.api import FeedItem
from streamproc.feeds.file import FileConfig, FileFeed
from streamproc.posts import Deletion, Post
from streamproc.tokens import tokenize

SAMPLES = Path(streamproc.__file__).parent / "demo" / "samples"


@pytest.fixture
async def messages() -> list[Post | Deletion]:
    feed = FileFeed(FileConfig(path=str(SAMPLES / "posts.jsonl")))
    return [item.message async for item in feed.posts() if isinstance(item, FeedItem)]


async def test_every_line_is_a_post_that_can_be_tokenised(messages: list[Post | Deletion]) -> None:
    assert len(messages) == len((SAMPLES / "posts.jsonl").read_bytes().splitlines()) >= 30
    for message in messages:
        if isinstance(message, Post):
            assert bool(tokenize(message.text)) == bool(message.text)


async def test_every_picture_is_used_and_one_is_broken(messages: list[Post | Deletion]) -> None:
    urls = Counter(
        url for message in messages if isinstance(message, Post) for url in message.picture_urls()
    )
    named = {url.removeprefix("file:pictures/") for url in urls if url.startswith("file:")}
    files = {path.name for path in (SAMPLES / "pictures").iterdir()}
    assert named == files
    assert urls["file:pictures/scoreboard.jpg"] == 2
    for name in sorted(files - {"cut_off.jpg"}):
        with Image.open(SAMPLES / "pictures" / name) as picture:
            picture.load()
    with (
        Image.open(SAMPLES / "pictures" / "cut_off.jpg") as picture,
        pytest.raises(OSError, match="truncated"),
    ):
        picture.load()


async def test_every_kind_of_post_is_there(messages: list[Post | Deletion]) -> None:
    posts = [message for message in messages if isinstance(message, Post)]
    kinds = {token.kind for post in posts for token in tokenize(post.text)}
    assert {"rt", "mention", "hashtag", "emoji", "url", "number"} <= kinds
    assert {message.op for message in messages} == {"create", "update", "delete"}
    assert {language for post in posts for language in post.lang} == {"en", "es", "de", "ja"}
    assert any(post.alt_texts() for post in posts)
    assert any(not post.text and post.media for post in posts)
    assert any(len(post.text) > 1000 for post in posts)
    hosts = [url for post in posts for url in post.picture_urls() if not url.startswith("file:")]
    assert any(".invalid/" in url for url in hosts)
    assert any("127.0.0.1" in url for url in hosts)
