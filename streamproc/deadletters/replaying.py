"""Sending letters round again: choose, leave out what was deleted, send and mark."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from streamproc.deadletters.box import LetterBox, Progress
from streamproc.deadletters.deletions import Sought, find_deleted
from streamproc.deadletters.filters import Filter
from streamproc.deadletters.outbox import Outbox, ReplayReport
from streamproc.deadletters.reading import Span, TopicReader
from streamproc.deadletters.stored import LeftBehind, Place, State, StoredLetter
from streamproc.ledger import Record
from streamproc.producing import BatchProducer, Outgoing
from streamproc.settings import Topics


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are to be replayed.

    Attributes:
        filter: what the letters have in common; not asked where places are named.
        places: the letters themselves, however often they failed.
        parked: also those that failed too often.
    """

    filter: Filter = field(default_factory=Filter)
    places: frozenset[Place] = frozenset()
    parked: bool = False

    def names(self, letter: StoredLetter, state: State) -> bool:
        """Whether the letter is meant, be it due or not."""
        return letter.place in self.places if self.places else self.filter.takes(letter, state)


class Replay:
    """One replay.

    Args:
        box: the letters.
        posts: reads the posts' topic; another reader than the box's.
        topics: where letters and posts are.
        producer: connected; without one nothing is sent.
        report: counts what is done, also when the replay ends with an error.
        rate: posts a second at most.
        progress: told how far the work is.
        complain: told of each letter that cannot be sent, and why.

    Attributes:
        found: the letters among which it chose, by error and state.
    """

    def __init__(
        self,
        box: LetterBox,
        posts: TopicReader,
        topics: Topics,
        producer: BatchProducer | None,
        report: ReplayReport,
        *,
        rate: float | None,
        progress: Progress,
        complain: Callable[[Place, str], None],
    ) -> None:
        self.report = report
        self.found: Counter[tuple[str, State]] = Counter()
        self._box = box
        self._posts = posts
        self._topics = topics
        self._progress = progress
        self._stop = asyncio.Event()
        self._outbox = Outbox(producer, topics.deadletters, self.report, complain, rate, self._stop)

    def stop(self) -> None:
        """End `run` before the next post is sent."""
        self._stop.set()

    async def run(self, wanted: Wanted) -> None:
        """Replay the letters that are wanted. Those that are left when it ends early wait on.

        Raises:
            BrokerError: Kafka refused for good or stayed away.
            InputError: there is no letter at a place that was named.
        """
        chosen = await self._choose(wanted)
        sought = [letter for letter in chosen.values() if letter is not None]
        deleted = await find_deleted(
            self._posts, self._topics.posts, sought, self._progress, self._stop.is_set
        )
        await self._send(chosen, deleted)
        self.report.interrupted = self._stop.is_set()

    async def _choose(self, wanted: Wanted) -> dict[Place, Sought | None]:
        """The letters to replay, without their bodies, and what tells a delete of their posts."""
        for place in wanted.places:
            await self._box.letter(place)
        part = _part(wanted.places) if wanted.places else None
        chosen: dict[Place, Sought | None] = {}
        async for letter, state in self._box.letters("choosing letters", part):
            if self._stop.is_set():
                break
            self.found[letter.error or "-", state] += 1
            if wanted.names(letter, state) and self._is_due(wanted, state):
                chosen[letter.place] = _sought(letter)
        return chosen

    def _is_due(self, wanted: Wanted, state: State) -> bool:
        if state in {State.REPLAYED, State.DELETED}:
            self.report.before += bool(wanted.places)
            return False
        if state is State.COPY:
            return bool(wanted.places)
        if state is State.PARKED and not (wanted.parked or wanted.places):
            self.report.parked += 1
            return False
        return True

    async def _send(self, chosen: Collection[Place], deleted: Collection[Place]) -> None:
        """Read the chosen letters again, with their bodies, and send them round."""
        held = await self._posts.spans(self._topics.posts)
        left = set(chosen)
        async for letter, _ in self._box.letters(spans=_part(chosen)):
            if self._stop.is_set():
                return
            if letter.place not in left:
                continue
            left.remove(letter.place)
            if letter.place in deleted:
                await self._outbox.drop(letter)
            elif (post := await self._post(letter, held)) is not None:
                await self._outbox.send(letter, post)
            self._progress("replaying", self.report.ended, len(chosen))
        await self._outbox.flush()
        for place in sorted(left):
            self._outbox.fail(place, f"is no longer in {self._topics.deadletters}")

    async def _post(self, letter: StoredLetter, held: Mapping[int, Span]) -> Outgoing | None:
        """What goes to `posts` again: to where it was read, so that its post's messages stay together."""
        topic = self._topics.posts
        if letter.topic not in {None, topic}:
            self._outbox.fail(
                letter.place,
                f"was read from {letter.topic}, not from {topic}: --set topics.posts={letter.topic}",
            )
            return None
        key, body, headers = letter.key, letter.body, letter.headers
        if letter.left_behind is not None:
            record = await self._left_behind(letter.read_at, letter.left_behind, held)
            if record is None:
                where = "posts" if letter.read_at is None else f"{topic} at {letter.read_at}"
                self._outbox.fail(
                    letter.place, f"its body was too large for a letter and is no longer in {where}"
                )
                return None
            key, body, headers = record.key, record.value, record.headers
        partition = letter.read_at.partition if letter.read_at is not None else None
        return Outgoing(
            topic,
            key,
            b"" if key is None and body is None else body,
            letter.headers_for_replay(headers),
            partition=partition if partition in held else None,
        )

    async def _left_behind(
        self, place: Place | None, left: LeftBehind, held: Mapping[int, Span]
    ) -> Record | None:
        """The message whose body is not in its letter, where `posts` still has it."""
        if place is None or place.partition not in held:
            return None
        span = held[place.partition]
        if not span.start <= place.offset < span.stop:
            return None
        one = Span(place.offset, place.offset + 1)
        async for record in self._posts.records(self._topics.posts, place.partition, one):
            return record if left.matches(record.value) else None
        return None


def _sought(letter: StoredLetter) -> Sought | None:
    key = letter.post_key()
    return None if key is None or letter.revision is None else Sought(letter.place, key, letter.revision)


def _part(places: Collection[Place]) -> dict[int, Span]:
    """The part of each partition in which these places are."""
    part: dict[int, Span] = {}
    for partition, offset in places:
        start, stop = part.get(partition, Span(offset, offset + 1))
        part[partition] = Span(min(start, offset), max(stop, offset + 1))
    return part
