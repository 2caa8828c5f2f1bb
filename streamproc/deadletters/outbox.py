"""Posts that go round again, and the marks that say so, a batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from streamproc.deadletters.marks import mark
from streamproc.deadletters.stored import Place, State, StoredLetter
from streamproc.errors import BrokerError
from streamproc.producing import BatchProducer, Outgoing, RecordTooLarge

BATCH_POSTS: Final = 100
BATCH_BYTES: Final = 1_048_576
"""So much is sent at a time, and sent twice when a replay is killed between delivery and mark."""

_BATCHES_A_SECOND: Final = 4
"""How evenly posts go out when there is a rate."""


@dataclass(slots=True)
class ReplayReport:
    """What has been done so far.

    Attributes:
        replayed: delivered to `posts` and marked; in a dry run, to be delivered.
        deleted: dropped, since their posts were deleted.
        not_sent: could not be sent.
        parked: left alone, since they failed too often.
        before: named, and replayed or dropped by an earlier replay.
        interrupted: whether letters were left over because the end was asked for.
    """

    replayed: int = 0
    deleted: int = 0
    not_sent: int = 0
    parked: int = 0
    before: int = 0
    interrupted: bool = False

    @property
    def ended(self) -> int:
        """Letters that were chosen and need no more work."""
        return self.replayed + self.deleted + self.not_sent


class Outbox:
    """Delivers posts, then marks their letters.

    Args:
        producer: connected; without one nothing is sent and all is counted.
        topic: the letters' topic, where the marks go.
        report: counts what is done.
        complain: told of each letter that cannot be sent, and why.
        rate: posts a second at most.
        stop: nothing is sent any more once it is set.
    """

    def __init__(
        self,
        producer: BatchProducer | None,
        topic: str,
        report: ReplayReport,
        complain: Callable[[Place, str], None],
        rate: float | None,
        stop: asyncio.Event,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._report = report
        self._complain = complain
        self._rate = rate
        self._stop = stop
        self._batch_posts = min(BATCH_POSTS, max(1, int((rate or BATCH_POSTS) / _BATCHES_A_SECOND)))
        self._posts: list[tuple[StoredLetter, Outgoing]] = []
        self._dropped: list[StoredLetter] = []
        self._bytes = 0
        self._next = monotonic()

    async def send(self, letter: StoredLetter, post: Outgoing) -> None:
        """Deliver the post with its batch."""
        self._posts.append((letter, post))
        self._bytes += len(post.value or b"")
        if len(self._posts) >= self._batch_posts or self._bytes >= BATCH_BYTES:
            await self.flush()

    async def drop(self, letter: StoredLetter) -> None:
        """Mark the letter of a post that was deleted."""
        self._dropped.append(letter)
        if len(self._dropped) >= BATCH_POSTS:
            await self.flush()

    def fail(self, letter: Place, reason: str) -> None:
        """This letter cannot be sent; it stays as it is."""
        self._report.not_sent += 1
        self._complain(letter, reason)

    async def flush(self) -> None:
        """Deliver and mark what has come together.

        Raises:
            BrokerError: Kafka refused for good or stayed away; the letters of this batch wait on.
        """
        posts, dropped = self._posts, self._dropped
        self._posts, self._dropped, self._bytes = [], [], 0
        if not await self._turn(len(posts)):
            return
        refused = set(await self._deliver([post for _, post in posts]))
        delivered = [letter for index, (letter, _) in enumerate(posts) if index not in refused]
        marks = [mark(self._topic, letter, State.REPLAYED) for letter in delivered]
        marks += [mark(self._topic, letter, State.DELETED) for letter in dropped]
        if await self._deliver(marks):
            raise BrokerError(f"topic {self._topic} does not even take a mark: raise its max.message.bytes")
        self._report.replayed += len(delivered)
        self._report.deleted += len(dropped)
        for index in sorted(refused):
            letter, post = posts[index]
            size = len(post.value or b"")
            self.fail(letter.place, f"{post.topic} does not take {size} bytes: raise its max.message.bytes")

    async def _turn(self, posts: int) -> bool:
        """Wait as the rate demands; False when the end was asked for."""
        if self._rate and self._producer is not None:
            now = monotonic()
            if self._next > now:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), self._next - now)
            self._next = max(self._next, now) + posts / self._rate
        return not self._stop.is_set()

    async def _deliver(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Positions of those that are too large for their topic."""
        if self._producer is None or not messages:
            return ()
        try:
            await self._producer.send(messages)
        except RecordTooLarge as refused:
            return refused.indices
        return ()
