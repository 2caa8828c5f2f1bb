"""Marks: a short record behind each letter that was replayed, in the letter's own partition.

They are all that is kept about a replay, so that anybody who lists or replays later knows of it.
Nobody but these modules reads the topic.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from streamproc.deadletters.letter import MESSAGE_BYTES, PREFIX
from streamproc.deadletters.stored import Place, State, StoredLetter
from streamproc.ledger import Record
from streamproc.producing import Outgoing

MARK_HEADER: Final = "__streamproc.replayed"
_VALUE: Final = re.compile(rb"([0-9]{1,9}):([0-9]{1,18})( deleted)?")


class Mark(NamedTuple):
    """What became of a letter: `REPLAYED` or `DELETED`."""

    letter: Place
    state: State


def mark(topic: str, letter: StoredLetter, state: State) -> Outgoing:
    """The record that says what became of a letter."""
    value = f"{letter.place} deleted" if state is State.DELETED else str(letter.place)
    key = letter.key if letter.key is None or len(letter.key) <= MESSAGE_BYTES else None
    return Outgoing(
        topic,
        key,
        None if key is not None else b"",  # a record of neither key nor value is refused
        [(MARK_HEADER, value.encode())],
        partition=letter.place.partition,
    )


def is_mark(record: Record) -> bool:
    """Whether it is a mark. A post may bring a header of that name along; its letter says an error, too."""
    names = {name for name, _ in record.headers}
    return MARK_HEADER in names and PREFIX + "exception" not in names


def read_mark(record: Record) -> Mark | None:
    """What a mark says; `None` of one that makes no sense here."""
    found = _VALUE.fullmatch(dict(record.headers).get(MARK_HEADER) or b"")
    if found is None:
        return None
    letter = Place(int(found[1]), int(found[2]))
    if letter.partition != record.partition or letter.offset >= record.offset:
        return None
    return Mark(letter, State.DELETED if found[3] else State.REPLAYED)
