"""Following Jetstream: what its events become, and what happens when the connection does not last."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import ValidationError

from streamproc.errors import InputError
from streamproc.feeds.api import BadLine, FeedItem, Item
from streamproc.feeds.bluesky import BlueskyConfig, BlueskyFeed
from streamproc.posts import Deletion
from tests.feeds.jetstream import NOW, Jetstream, commit, never_answers, sends

SECOND = 1_000_000


def follow(url: str, **options: Any) -> BlueskyFeed:
    return BlueskyFeed(BlueskyConfig(url=url, **{"backoff_seconds": 0.01, **options}))


async def first(count: int, feed: BlueskyFeed) -> list[Item]:
    found: list[Item] = []
    async with asyncio.timeout(20), aclosing(feed.posts()) as items:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


def ids(items: list[Item]) -> list[str]:
    return [item.message.id for item in items if isinstance(item, FeedItem)]


async def test_creates_updates_and_deletes_come_in_order_under_one_id() -> None:
    events = [
        commit("a", NOW),
        {"did": "did:plc:x", "time_us": NOW + 1, "kind": "account", "account": {"active": True}},
        {"did": "did:plc:x", "time_us": NOW + 2, "kind": "identity", "identity": {"handle": "x.test"}},
        commit("a", NOW + 3, "update", text="rewritten"),
        commit("a", NOW + 4, "delete"),
    ]
    async with Jetstream(sends(*events)) as server:
        items = await first(3, follow(server.url))
    assert [item.message.op for item in items if isinstance(item, FeedItem)] == [
        "create",
        "update",
        "delete",
    ]
    assert ids(items) == ["did:plc:writer/a"] * 3
    assert isinstance(items[2], FeedItem)
    assert isinstance(items[2].message, Deletion)
    assert items[2].cursor == str(NOW + 4)
    assert server.queries[0]["wantedCollections"] == "app.bsky.feed.post"
    assert "cursor" not in server.queries[0]


async def test_a_dropped_connection_is_taken_up_a_little_before_the_last_event() -> None:
    first_run = sends(commit("a", NOW), commit("b", NOW + SECOND), then_drop=True)
    second_run = sends(commit("b", NOW + SECOND), commit("c", NOW + 2 * SECOND))
    async with Jetstream(first_run, second_run) as server:
        items = await first(4, follow(server.url, overlap_seconds=5))
    assert ids(items) == [f"did:plc:writer/{rkey}" for rkey in "abbc"]
    assert [query.get("cursor") for query in server.queries] == [None, str(NOW + SECOND - 5 * SECOND)]


async def test_events_about_others_move_the_cursor_too() -> None:
    account = {"did": "did:plc:x", "time_us": NOW + 60 * SECOND, "kind": "account"}
    async with Jetstream(sends(commit("a", NOW), account, then_drop=True), sends(commit("b"))) as server:
        await first(2, follow(server.url, overlap_seconds=0))
    assert server.queries[1]["cursor"] == str(NOW + 60 * SECOND)


async def test_it_starts_at_the_given_cursor_and_resumes_with_overlap() -> None:
    async with Jetstream(sends(commit("a", NOW))) as server:
        feed = follow(server.url, cursor=NOW, overlap_seconds=2)
        (item,) = await first(1, feed)
        assert isinstance(item, FeedItem)
        assert item.cursor is not None
        await first(1, feed.resumed(item.cursor))
    assert [query["cursor"] for query in server.queries] == [str(NOW), str(NOW - 2 * SECOND)]


async def test_garbage_frames_are_bad_lines_and_the_stream_goes_on() -> None:
    frames = [
        "not json",
        '{"kind": "commit"}',
        b"\xff\xfe\x00",
        commit("a", text=17),
        commit("b", operation="mangle"),
        commit("c", text="nul \x00 inside"),
        commit("x" * 2000),
        "[]",
        commit("d"),
    ]
    async with Jetstream(sends(*frames)) as server:
        items = await first(len(frames), follow(server.url))
    assert [type(item) for item in items] == [BadLine] * 8 + [FeedItem]
    assert [item.line for item in items] == list(range(1, 10))
    assert isinstance(items[0], BadLine)
    assert items[0].raw == b"not json"
    assert ids(items) == ["did:plc:writer/d"]


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refusal_for_good_says_its_status(status: int) -> None:
    async with Jetstream(refuse=status) as server:
        with pytest.raises(InputError, match=f"HTTP status {status}"):
            await first(1, follow(server.url))
    assert len(server.queries) == 1


@pytest.mark.parametrize("status", [429, 502])
async def test_a_refusal_for_now_is_tried_again_and_then_given_up(status: int) -> None:
    async with Jetstream(refuse=status) as server:
        with pytest.raises(InputError, match=f"3 failures in a row: .* {status}"):
            await first(1, follow(server.url, attempts=3))
    assert len(server.queries) == 3


async def test_nobody_listening_is_given_up_with_the_reason() -> None:
    async with Jetstream(sends()) as server:
        url = server.url
    with pytest.raises(InputError, match="cannot connect"):
        await first(1, follow(url, attempts=2))


async def test_a_dead_peer_is_noticed_by_its_missing_pongs() -> None:
    async with Jetstream(never_answers, sends(commit("a"))) as server:
        items = await first(1, follow(server.url, ping_seconds=0.05, silence_seconds=600))
    assert ids(items) == ["did:plc:writer/a"]
    assert len(server.queries) == 2


async def test_a_server_that_only_pongs_is_left_after_the_silence() -> None:
    async with Jetstream(sends(), sends(commit("a"))) as server:
        items = await first(1, follow(server.url, silence_seconds=0.1))
    assert ids(items) == ["did:plc:writer/a"]
    assert len(server.queries) == 2


async def test_a_frame_beyond_the_limit_ends_the_feed() -> None:
    async with Jetstream(sends(commit("a", text="x" * (5 << 20)))) as server:
        with pytest.raises(InputError, match="bytes"):
            await first(1, follow(server.url))


@pytest.mark.parametrize(
    "options",
    [
        {"cursor": "yesterday"},
        {"cursor": 1_760_000_000},
        {"cursor": 1_760_000_000_000},
        {"cursor": -1},
        {"url": "https://jetstream.example/subscribe"},
        {"url": "wss://"},
        {"kursor": NOW},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BlueskyConfig(**options)
