"""The letters of a topic, each with what has become of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Final, TypeAlias

from streamproc.deadletters.marks import is_mark, read_mark
from streamproc.deadletters.reading import Span, TopicReader
from streamproc.deadletters.stored import Place, State, StoredLetter
from streamproc.errors import InputError
from streamproc.ledger import Record

TOLD_EVERY: Final = 500
"""Records between two words about the progress."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def silent(doing: str, done: int, total: int) -> None:
    """Nobody is told."""


class LetterBox:
    """What lay in `posts.deadletters` when the box was opened; `open` makes one.

    Marks lie behind their letters, so they are read first; only the places that they name are kept.
    Letters are never held, only a number for each reading that has one.

    Args:
        reader: connected.
        topic: the letters' topic.
        spans: the part of each partition that is looked at.
        outcomes: what the marks say.
        max_attempts: a letter that failed more often is parked.
        progress: told how far the reading is.
    """

    def __init__(
        self,
        reader: TopicReader,
        topic: str,
        spans: Mapping[int, Span],
        outcomes: Mapping[Place, State],
        max_attempts: int,
        progress: Progress,
    ) -> None:
        self._reader = reader
        self._topic = topic
        self._spans = spans
        self._outcomes = outcomes
        self._max_attempts = max_attempts
        self._progress = progress

    @classmethod
    async def open(
        cls,
        reader: TopicReader,
        topic: str,
        max_attempts: int,
        progress: Progress,
        places: Collection[Place] = (),
    ) -> LetterBox:
        """Read the marks.

        Args:
            reader: connected.
            topic: the letters' topic.
            max_attempts: a letter that failed more often is parked.
            progress: told how far the reading is.
            places: the letters that are wanted; all when there are none.

        Raises:
            BrokerError: the topic cannot be read.
            InputError: the topic has no such place.
        """
        spans = await reader.spans(topic)
        if places:
            spans = _from_first(places, spans, topic)
        outcomes: dict[Place, State] = {}
        async for record in _told(reader, topic, spans, "looking for replayed letters", progress):
            if is_mark(record) and (mark := read_mark(record)) is not None:
                outcomes[mark.letter] = mark.state
        return cls(reader, topic, spans, outcomes, max_attempts, progress)

    async def letters(
        self, doing: str | None = None, spans: Mapping[int, Span] | None = None
    ) -> AsyncIterator[tuple[StoredLetter, State]]:
        """Letter after letter, partition after partition. Of several of the same reading the first counts.

        Args:
            doing: what they are read for, where the progress is to be told.
            spans: a smaller part of the box.

        Raises:
            BrokerError: the topic cannot be read.
        """
        part = self._spans if spans is None else spans
        progress = self._progress if doing is not None else silent
        readings: set[int] = set()
        async for record in _told(self._reader, self._topic, part, doing or "", progress):
            if not is_mark(record):
                letter = StoredLetter.read(record)
                reading = hash((letter.topic, letter.read_at, letter.attempts, letter.key, letter.body))
                copy = reading in readings and letter.read_at is not None
                readings.add(reading)
                yield letter, State.COPY if copy else self._state(letter)

    async def letter(self, place: Place) -> tuple[StoredLetter, State]:
        """One letter.

        Raises:
            BrokerError: the topic cannot be read.
            InputError: there is no letter at this place.
        """
        spans = {place.partition: Span(place.offset, place.offset + 1)}
        async for found in self.letters(spans=spans):
            return found
        raise InputError(
            f"no letter at {place} of {self._topic}: `streamproc deadletters list` shows where"
        )

    def _state(self, letter: StoredLetter) -> State:
        waiting = State.WAITING if letter.attempts <= self._max_attempts else State.PARKED
        return self._outcomes.get(letter.place, waiting)


def _from_first(places: Collection[Place], spans: Mapping[int, Span], topic: str) -> dict[int, Span]:
    """The part of each partition that begins with the first of these places in it."""
    part: dict[int, Span] = {}
    for place in sorted(places, reverse=True):
        span = spans.get(place.partition)
        if span is None:
            raise InputError(f"no letter at {place}: {topic} has partitions 0 to {len(spans) - 1}")
        if not span.start <= place.offset < span.stop:
            held = (
                f"holds offsets {span.start} to {span.stop - 1}" if span.start < span.stop else "is empty"
            )
            raise InputError(f"no letter at {place}: partition {place.partition} of {topic} {held}")
        part[place.partition] = Span(place.offset, span.stop)
    return part


async def _told(
    reader: TopicReader, topic: str, spans: Mapping[int, Span], doing: str, progress: Progress
) -> AsyncIterator[Record]:
    """The records of several partitions, with word about how far the reading is."""
    total = sum(span.stop - span.start for span in spans.values())
    before = 0
    progress(doing, 0, total)
    for partition, span in sorted(spans.items()):
        async for record in reader.records(topic, partition, span):
            done = before + record.offset + 1 - span.start
            if not done % TOLD_EVERY:
                progress(doing, done, total)
            yield record
        before += span.stop - span.start
    progress(doing, total, total)
