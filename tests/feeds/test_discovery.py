"""Feeds are found by name among the installed packages, and their options are checked."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from streamproc.errors import PluginError, SettingsError
from streamproc.feeds import discovery
from streamproc.feeds.bluesky import BlueskyFeed
from streamproc.feeds.discovery import FEED_GROUP, feed_names, find_feed, open_feed
from streamproc.feeds.file import FileFeed


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("jsonl", "streamproc.feeds.file:FileFeed", FEED_GROUP),
        EntryPoint("bluesky", "streamproc.feeds.bluesky:BlueskyFeed", FEED_GROUP),
        EntryPoint("absent", "no_such_package:Feed", FEED_GROUP),
        EntryPoint("other", "streamproc.posts:Post", FEED_GROUP),
    ]
    monkeypatch.setattr(discovery, "entry_points", lambda group: [e for e in entries if e.group == group])


def test_names_are_listed_without_importing_anything() -> None:
    assert feed_names() == ["absent", "bluesky", "jsonl", "other"]


def test_options_given_as_text_reach_the_feed() -> None:
    feed = open_feed("bluesky", {"cursor": "1760000000000000"})
    assert isinstance(feed, BlueskyFeed)
    assert feed.config.cursor == 1_760_000_000_000_000
    assert find_feed("jsonl") is FileFeed


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("jsnl", {}, "did you mean 'jsonl'"),
        ("jsonl", {}, "'path' is needed"),
        ("jsonl", {"path": "x", "fromat": "post"}, "did you mean 'format'"),
        ("jsonl", {"path": "x", "format": "csv"}, "format: .* got 'csv'"),
        ("bluesky", {"cursor": "soon"}, "cursor: .* got 'soon'"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(name: str, options: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        open_feed(name, options)


@pytest.mark.parametrize(
    ("name", "complaint"), [("absent", "no_such_package"), ("other", "derived from Feed")]
)
def test_a_broken_package_is_named(name: str, complaint: str) -> None:
    with pytest.raises(PluginError, match=complaint):
        find_feed(name)
