"""A feed's items in batches, so that a slow feed holds nothing back and a fast one costs little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from streamproc.feeds.api import Feed, FeedItem, Item


async def batches(
    feed: Feed[Any], posts: int, seconds: float, limit: int | None = None
) -> AsyncGenerator[list[Item], None]:
    """The feed's items by the batch: as many as came within `seconds` of the first, at most `posts`.

    The feed is read by a task of its own, so that a slow feed does not hold back what it gave
    already. Its failure is raised after everything before it was handed on.
    """
    queue: asyncio.Queue[Item | None] = asyncio.Queue(posts)
    reading = asyncio.create_task(_read(feed, limit, queue))
    try:
        ended = False
        while not ended:
            batch, ended = await _next_batch(queue, posts, seconds)
            if batch:
                yield batch
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(feed: Feed[Any], limit: int | None, queue: asyncio.Queue[Item | None]) -> None:
    """Fill the queue; `None` ends it, also where the feed fails. Nobody reads on after a cancel."""
    read = 0
    try:
        async with aclosing(feed.posts()) as items:
            async for item in items:
                await queue.put(item)
                read += isinstance(item, FeedItem)
                if read == limit:
                    break
    except Exception:
        await queue.put(None)
        raise
    await queue.put(None)


async def _next_batch(
    queue: asyncio.Queue[Item | None], posts: int, seconds: float
) -> tuple[list[Item], bool]:
    """The next items, and whether they are the last ones."""
    first = await queue.get()
    if first is None:
        return [], True
    batch = [first]
    try:
        async with asyncio.timeout(seconds):
            while len(batch) < posts:
                item = queue.get_nowait() if not queue.empty() else await queue.get()
                if item is None:
                    return batch, True
                batch.append(item)
    except TimeoutError:
        pass
    return batch, False
