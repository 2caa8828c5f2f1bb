"""A feed to the `posts` topic: reads, stamps, serialises and hands on in batches.

Delivery is the sender's; `ingest` moves the checkpoint only after the sender has returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from streamproc.errors import MalformedPost, UnsupportedSchemaVersion
from streamproc.feeds.api import BadLine, Feed, FeedItem
from streamproc.feeds.batches import batches
from streamproc.feeds.checkpoint import Checkpoint
from streamproc.posts import Deletion, Source, checked, to_json

BATCH_POSTS: Final = 500
BATCH_SECONDS: Final = 0.5
"""A batch goes out when it has so many posts, or when its first one has waited so long."""

Sender: TypeAlias = Callable[[list[tuple[bytes, bytes]]], Awaitable[Sequence[int]]]
"""Delivers (key, value) pairs, in order for each key; returns when all of them are, with the
positions of those that are too large for the topic."""


@dataclass(slots=True)
class IngestReport:
    """What has been done so far."""

    posts: int = 0
    deletions: int = 0
    bad_lines: int = 0
    bytes: int = 0
    cursor: str | None = None

    @property
    def delivered(self) -> int:
        """Messages that the sender has delivered."""
        return self.posts + self.deletions


async def ingest(
    feed: Feed[Any],
    send: Sender,
    *,
    limit: int | None = None,
    on_progress: Callable[[IngestReport], None] | None = None,
    on_bad_line: Callable[[BadLine], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> IngestReport:
    """Bring a feed's posts to the sender until the feed ends.

    Args:
        feed: read from where it stands; resuming from the checkpoint is the caller's first step.
        send: is awaited batch after batch; while it takes its time, the feed is read no further
            than one batch ahead.
        limit: stop after so many posts and deletions.
        on_progress: called after each delivered batch.
        on_bad_line: called for each part of the feed that is no post; it is counted and passed over.
        checkpoint: moved after each delivered batch whose items carry a cursor.

    Raises:
        InputError: the feed cannot be read on; what it gave before has been delivered.
    """
    report = IngestReport()
    if limit is not None and limit <= 0:
        return report
    async with aclosing(batches(feed, BATCH_POSTS, BATCH_SECONDS, limit)) as gathered:
        async for batch in gathered:
            items = [item for item in batch if isinstance(item, FeedItem)]
            refused = await _deliver(items, feed.name, send, report, checkpoint)
            for bad in [*(item for item in batch if isinstance(item, BadLine)), *refused]:
                report.bad_lines += 1
                if on_bad_line is not None:
                    on_bad_line(bad)
            if on_progress is not None:
                on_progress(report)
    return report


async def _deliver(
    items: Sequence[FeedItem], feed: str, send: Sender, report: IngestReport, checkpoint: Checkpoint | None
) -> list[BadLine]:
    """Deliver and move the checkpoint; returns what cannot be delivered."""
    if not items:
        return []
    bad: list[BadLine] = []
    sent: list[FeedItem] = []
    messages: list[tuple[bytes, bytes]] = []
    now = datetime.now(UTC)
    for item in items:
        try:
            messages.append(_serialise(item, feed, now))
            sent.append(item)
        except (MalformedPost, UnsupportedSchemaVersion) as error:
            bad.append(BadLine(item.line, error, item.raw))
    refused = set(await send(messages)) if messages else set()
    delivered = [item for index, item in enumerate(sent) if index not in refused]
    deletions = sum(isinstance(item.message, Deletion) for item in delivered)
    report.deletions += deletions
    report.posts += len(delivered) - deletions
    report.bytes += sum(len(value) for index, (_, value) in enumerate(messages) if index not in refused)
    cursor = items[-1].cursor
    if cursor is not None:
        report.cursor = cursor
        if checkpoint is not None:
            await asyncio.to_thread(checkpoint.save, cursor)
    return bad + [_too_large(sent[index], len(messages[index][1])) for index in sorted(refused)]


def _too_large(item: FeedItem, size: int) -> BadLine:
    error = MalformedPost(f"the post has {size} bytes, more than its topic takes: raise max.message.bytes")
    return BadLine(item.line, error, item.raw)


def _serialise(item: FeedItem, feed: str, now: datetime) -> tuple[bytes, bytes]:
    """Key and value as the `posts` topic has them. A source that the post names already stays."""
    message = checked(item.message)
    stamps: dict[str, Any] = {"ingested_at": now}
    if message.source is None:
        stamps["source"] = Source(feed=feed, cursor=item.cursor)
    stamped = replace(message, **stamps)
    return stamped.key.encode(), to_json(stamped)
