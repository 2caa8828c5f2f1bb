"""Micro-batches: posts that wait for the same plugin are tagged together.

What waits is sorted by length and cut where a batch would hold too many padded tokens, so that
little of a batch is padding. A lone post waits for company for a bounded time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from time import monotonic
from typing import Final, Protocol, TypeAlias

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc.fusion.runner import BatchLost, Result
from streamproc.settings import Batching
from streamproc.vision.visuals import Seen, texts_of


class TagBatch(Protocol):
    """Tags one micro-batch: a result for each post, in order. `BatchLost`: each is to be tagged alone."""

    async def __call__(self, batch: Sequence[FusionInput], *, explain: bool) -> list[Result]: ...


_Finished: TypeAlias = asyncio.Queue[list[tuple[int, Result]] | BaseException]


@dataclass(slots=True, eq=False)
class _Submission:
    """Posts that came together: their results go back in groups, as micro-batches finish."""

    finished: _Finished
    explain: bool
    since: float


_Waiting: TypeAlias = tuple[int, FusionInput, _Submission, int]
"""A post that waits: its estimated length, itself, with whom it came, and its index among them."""
_LENGTH: Final = itemgetter(0)
_A_FEW: Final = 16
"""From here on a larger batch saves little a post: with the default model an eighth, from 16 to 64."""
_MUCH_LONGER: Final = 1.25
_NOT_MANY: Final = 2
"""Full micro-batches: of fewer posts that wait, only those that go with the oldest are tagged next."""


class MicroBatcher:
    """Gathers posts for one plugin and tags them in micro-batches.

    Args:
        tag: tags one micro-batch.
        limits: how many posts and padded tokens a micro-batch may have, and how long a post waits.
    """

    def __init__(
        self,
        tag: TagBatch,
        limits: Batching,
    ) -> None:
        self._tag = tag
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._open: set[_Submission] = set()
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._hurry = False
        self._task: asyncio.Task[None] | None = None

    async def tag(
        self, posts: Sequence[FusionInput], *, wait: bool = True, explain: bool = False
    ) -> AsyncIterator[list[tuple[int, Result]]]:
        """Results of these posts with their index, a group for each micro-batch that finishes.

        Args:
            posts: to be tagged.
            wait: whether they wait for company; a post on which others wait does not.
            explain: ask for explanations; those who share a micro-batch with these get them too.
        """
        if not posts:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="micro-batches")
            self._task.add_done_callback(self._give_up)
        if self._task.done():
            raise PluginError("micro-batches have ended")
        submission = _Submission(asyncio.Queue(), explain, monotonic())
        self._waiting.extend(
            [(estimated_length(post), post, submission, index) for index, post in enumerate(posts)]
        )
        self._arrived.set()
        if not wait:
            self._hurry = True
        if self._hurry or len(self._waiting) >= self._limits.posts:
            self._full.set()
        self._open.add(submission)
        left = len(posts)
        try:
            while left:
                group = await _next(submission.finished)
                left -= len(group)
                yield group
        finally:
            self._open.discard(submission)

    async def close(self) -> None:
        """Stop tagging; what still waits is given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._company()
            # All at once: the model takes them in turn, and its next one does not wait for this loop.
            async with asyncio.TaskGroup() as tasks:
                for batch in self._next_batches():
                    tasks.create_task(self._tag_batch(batch))

    def _next_batches(self) -> list[list[_Waiting]]:
        """Of many posts that wait, all, the shortest first; of a few, those that are as long as the oldest.

        While these are tagged others come, which go with the rest: the model is not much busier, and
        nobody waits for longer posts that came later.
        """
        window = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limits.window))]
        batches = cut(sorted(window, key=_LENGTH), self._limits.posts, self._limits.tokens)
        if len(window) >= min(_NOT_MANY * self._limits.posts, self._limits.window):
            return batches
        oldest = window[0]
        chosen = next(batch for batch in batches if any(waiting is oldest for waiting in batch))
        taken = set(map(id, chosen))
        self._waiting.extendleft(waiting for waiting in reversed(window) if id(waiting) not in taken)
        self._hurry = len(chosen) < len(window)  # the others have had their company
        return [chosen]

    async def _company(self) -> None:
        """Wait for a first post, and until it has waited a bounded time, for a full batch."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        left_s = self._waiting[0][2].since + self._limits.wait_ms / 1000 - monotonic()
        if not self._hurry and len(self._waiting) < self._limits.posts and left_s > 0:
            self._full.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._full.wait()
            except TimeoutError:
                return
        self._hurry = False

    def _give_up(self, task: asyncio.Task[None]) -> None:
        """The loop has ended: nobody must wait for it for ever."""
        error = PluginError("micro-batches have ended")
        if not task.cancelled():
            error.__cause__ = task.exception()
        for submission in self._open:
            submission.finished.put_nowait(error)

    async def _tag_batch(self, batch: list[_Waiting]) -> None:
        groups: dict[_Submission, list[tuple[int, Result]]] = {}
        try:
            explain = any([submission.explain for _, _, submission, _ in batch])  # noqa: C419 - quicker
            results = await self._tag([post for _, post, _, _ in batch], explain=explain)
        except Exception as error:  # noqa: BLE001 - handed to those who wait; this loop serves all the others
            if isinstance(error, BatchLost) and len(batch) > 1:
                # One at a time: a lost model costs more time than a batch saves, and each result that is
                # there goes on at once.
                for waiting in batch:
                    await self._tag_batch([waiting])
                return
            for submission in {submission for _, _, submission, _ in batch}:
                submission.finished.put_nowait(error)
            return
        last, group = None, []
        for (_, _, submission, index), result in zip(batch, results, strict=True):
            if submission is not last:  # neighbours mostly came together
                last, group = submission, groups.setdefault(submission, [])
            group.append((index, result))
        for submission, group in groups.items():
            submission.finished.put_nowait(group)


def estimated_length(post: FusionInput) -> int:
    """About how many sub-tokens a model reads of a post: its text, and what was seen and is text too."""
    length = estimated_tokens(post.text)
    if post.visuals:
        seen = [visual for visual in post.visuals.values() if isinstance(visual, Seen)]
        texts = [text for visual in seen for value in visual.values for text in texts_of(value)]
        length += sum(map(estimated_tokens, texts))
    return length


def estimated_tokens(text: str) -> int:
    """About how many sub-tokens a text has: one for four bytes of UTF-8, in any script."""
    return (len(text) if text.isascii() else len(text.encode())) // 4 + 1


async def _next(finished: _Finished) -> list[tuple[int, Result]]:
    """The results that are there, once there are any: quick micro-batches finish together."""
    group = await finished.get()
    if isinstance(group, BaseException):
        raise group
    while not finished.empty():
        more = finished.get_nowait()
        if isinstance(more, BaseException):
            finished.put_nowait(more)  # what is there first
            break
        group = group + more
    return group


def cut(window: list[_Waiting], posts: int, tokens: int) -> list[list[_Waiting]]:
    """Cut posts that are sorted by length into batches of at most `posts` and `tokens` with padding.

    A batch of a few posts also ends where a post is much longer than its first: a larger batch is then no
    cheaper a post, and what is added is padding. A post longer than `tokens` has a batch of its own.
    """
    batches: list[list[_Waiting]] = []
    batch: list[_Waiting] = []
    for waiting in window:
        length = waiting[0]
        full = len(batch) == posts or (len(batch) + 1) * length > tokens
        padded = len(batch) >= _A_FEW and length > _MUCH_LONGER * batch[0][0]
        if batch and (full or padded):
            batches.append(batch)
            batch = []
        batch.append(waiting)
    if batch:
        batches.append(batch)
    return batches
