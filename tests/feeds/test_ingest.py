"""From a feed to the sender: what is sent, in which batches, and where the checkpoint stands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamproc.errors import BrokerError, InputError, MalformedPost
from streamproc.feeds.api import BadLine, Feed, FeedConfig, FeedItem, Item
from streamproc.feeds.bluesky import BlueskyConfig, BlueskyFeed
from streamproc.feeds.checkpoint import Checkpoint
from streamproc.feeds.ingest import BATCH_POSTS, IngestReport, ingest
from streamproc.posts import Deletion, Post, Source, parse
from tests.feeds.jetstream import NOW, Jetstream, commit, sends

Batch = list[tuple[bytes, bytes]]


def item(number: int, cursor: str | None = None) -> FeedItem:
    return FeedItem(Post(platform="test", id=str(number), text="t"), number, b"raw", cursor=cursor)


BAD = BadLine(9, MalformedPost("no"), b"no")


class Listed(Feed[FeedConfig]):
    """Gives these items; then ends, fails, or waits for ever."""

    name = "listed"

    def __init__(self, *items: Item, failure: Exception | None = None, endless: bool = False) -> None:
        super().__init__(FeedConfig())
        self.items = items
        self.failure = failure
        self.endless = endless
        self.given = 0
        self.closed = False

    async def posts(self) -> AsyncGenerator[Item, None]:
        try:
            for one in self.items:
                self.given += 1
                yield one
            if self.failure:
                raise self.failure
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


class Sent:
    """A sender that remembers; to it, the post 13 is too large."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def __call__(self, batch: Batch) -> list[int]:
        self.batches.append(batch)
        return [index for index, (key, _) in enumerate(batch) if key == b"test:13"]

    @property
    def messages(self) -> list[Post | Deletion]:
        return [parse(value) for batch in self.batches for _, value in batch]


async def test_messages_are_keyed_stamped_and_readable() -> None:
    sent = Sent()
    deletion = FeedItem(Deletion(op="delete", platform="test", id="1"), 2, b"", cursor="c2")
    before = datetime.now(UTC)
    report = await ingest(Listed(item(1, "c1"), deletion), sent)
    assert [key for batch in sent.batches for key, _ in batch] == [b"test:1", b"test:1"]
    post, gone = sent.messages
    assert post.source == Source(feed="listed", cursor="c1")
    assert gone.source == Source(feed="listed", cursor="c2")
    assert post.ingested_at is not None
    assert before <= post.ingested_at <= datetime.now(UTC)
    assert isinstance(gone, Deletion)
    sizes = sum(len(value) for batch in sent.batches for _, value in batch)
    assert report == IngestReport(posts=1, deletions=1, bytes=sizes, cursor="c2")


async def test_a_source_that_the_post_names_stays() -> None:
    sent = Sent()
    named = Post(platform="test", id="1", text="t", source=Source(feed="archive", cursor="7"))
    await ingest(Listed(FeedItem(named, 1, b"")), sent)
    assert sent.messages[0].source == Source(feed="archive", cursor="7")


async def test_order_is_kept_and_batches_are_bounded() -> None:
    sent = Sent()
    await ingest(Listed(*(item(n) for n in range(3 * BATCH_POSTS + 1))), sent)
    assert [message.id for message in sent.messages] == [str(n) for n in range(3 * BATCH_POSTS + 1)]
    assert max(map(len, sent.batches)) <= BATCH_POSTS


async def test_bad_lines_are_counted_and_told_but_not_sent() -> None:
    sent = Sent()
    told: list[BadLine] = []
    report = await ingest(Listed(item(1), BAD, item(2)), sent, on_bad_line=told.append)
    assert (report.posts, report.bad_lines, told) == (2, 1, [BAD])
    assert len(sent.messages) == 2


async def test_the_limit_counts_posts_and_leaves_the_feed() -> None:
    sent = Sent()
    feed = Listed(item(1), BAD, item(2), item(3), endless=True)
    report = await ingest(feed, sent, limit=2)
    assert report.delivered == 2
    assert feed.given == 3
    assert feed.closed


async def test_nothing_is_read_for_a_limit_of_none() -> None:
    feed = Listed(item(1))
    assert (await ingest(feed, Sent(), limit=0)).delivered == 0
    assert feed.given == 0


async def test_a_feed_that_waits_does_not_hold_back_what_it_gave() -> None:
    delivered = asyncio.Event()
    task = asyncio.create_task(
        ingest(Listed(item(1), endless=True), Sent(), on_progress=lambda report: delivered.set())
    )
    await asyncio.wait_for(delivered.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_feed_that_fails_has_its_posts_delivered_first() -> None:
    sent = Sent()
    with pytest.raises(InputError, match="torn"):
        await ingest(Listed(item(1), failure=InputError("torn")), sent)
    assert len(sent.messages) == 1


async def test_a_post_too_large_for_its_topic_is_a_bad_line_and_the_feed_goes_on() -> None:
    bad: list[BadLine] = []
    report = await ingest(Listed(*(item(n) for n in range(12, 16))), Sent(), on_bad_line=bad.append)
    assert (report.posts, report.bad_lines) == (3, 1)
    assert [(line.line, "more than its topic takes" in str(line.error)) for line in bad] == [(13, True)]


async def test_a_sender_that_fails_ends_it_without_moving_the_checkpoint(tmp_path: Path) -> None:
    async def refuse(batch: Batch) -> list[int]:
        raise BrokerError("away")

    feed = Listed(*(item(n, str(n)) for n in range(5 * BATCH_POSTS)), endless=True)
    state = Checkpoint(tmp_path / "state", "listed")
    async with asyncio.timeout(20):
        with pytest.raises(BrokerError):
            await ingest(feed, refuse, checkpoint=state)
    assert state.load() is None
    assert feed.closed


async def test_a_slow_sender_holds_the_feed_back() -> None:
    sending = asyncio.Event()

    async def stall(batch: Batch) -> list[int]:
        sending.set()
        await asyncio.Event().wait()
        return []

    feed = Listed(*(item(n) for n in range(10 * BATCH_POSTS)))
    task = asyncio.create_task(ingest(feed, stall))
    await asyncio.wait_for(sending.wait(), 20)
    for _ in range(5 * BATCH_POSTS):
        await asyncio.sleep(0)
    # One batch at the sender, one in the queue, and the item that waits to enter it.
    assert feed.given <= 2 * BATCH_POSTS + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_restart_resumes_from_the_checkpoint_file(tmp_path: Path) -> None:
    state = Checkpoint(tmp_path / "state.json", "bluesky")
    async with Jetstream(sends(commit("a", NOW), commit("b", NOW + 1_000_000))) as server:
        feed = BlueskyFeed(BlueskyConfig(url=server.url, overlap_seconds=5))
        await ingest(feed, Sent(), limit=2, checkpoint=state)
        cursor = Checkpoint(tmp_path / "state.json", "bluesky").load()
        assert cursor == str(NOW + 1_000_000)
        await ingest(feed.resumed(cursor), Sent(), limit=1, checkpoint=state)
    assert server.queries[1]["cursor"] == str(NOW - 4_000_000)
    assert os.listdir(tmp_path) == ["state.json"]  # noqa: PTH208 - no draft is left behind


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"feed": "listed"}', '{"feed": "listed", "cursor": 5}']
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state"
    path.write_text(content)
    with pytest.raises(InputError, match="state"):
        Checkpoint(path, "listed").load()


def test_the_state_of_another_feed_is_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "state", "other").save("1")
    with pytest.raises(InputError, match="other"):
        Checkpoint(tmp_path / "state", "listed").load()


def test_a_checkpoint_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        Checkpoint(tmp_path / "missing" / "state", "listed").save("1")


async def test_a_feed_that_gives_something_else_costs_that_item_alone(tmp_path: Path) -> None:
    wrong = [
        FeedItem(Post(platform="test", id=5, text="t"), 2, b"", cursor="2"),
        FeedItem(None, 3, b"", cursor="3"),
    ]  # type: ignore[arg-type]
    bad: list[BadLine] = []
    sent, checkpoint = Sent(), Checkpoint(tmp_path / "state.json", "listed")
    report = await ingest(
        Listed(item(1, "1"), *wrong, item(4, "4")), sent, on_bad_line=bad.append, checkpoint=checkpoint
    )
    assert (report.posts, report.bad_lines, report.cursor) == (2, 2, "4")
    assert [(line.line, str(line.error)) for line in bad] == [
        (2, "id: Expected `str`, got `int`"),
        (3, "post: Expected `object`, got `null`"),
    ]
