"""What the demo makes of the records of the three topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamproc.deadletters.letter import PREFIX
from streamproc.deadletters.marks import mark
from streamproc.deadletters.stored import State, StoredLetter
from streamproc.demo.scene import Scene
from streamproc.settings import Topics


@dataclass(frozen=True)
class Letter:
    """A record of `posts.deadletters`."""

    headers: Sequence[tuple[str, bytes | None]]
    key: bytes | None = b"test:1"
    value: bytes | None = b"{"
    offset: int = 3
    topic: str = "posts.deadletters"
    partition: int = 0
    timestamp: int = 0


def rows(*records: Any) -> list[tuple[str, str, str]]:
    scene = Scene(Topics())
    for record in records:
        scene.add(record)
    assert scene.ended == len(scene.rows)
    return [(row.key, row.text, row.dead) for row in scene.rows]


def test_a_letter_is_a_row_and_the_mark_of_its_replay_is_none() -> None:
    letter = Letter([(f"{PREFIX}exception", b"MalformedPost"), (f"{PREFIX}message", b"not JSON")])
    lying: Any = letter
    for state in (State.REPLAYED, State.DELETED):
        made = mark("posts.deadletters", StoredLetter.read(lying), state)
        behind = Letter(made.headers, made.key, made.value, offset=4)
        assert rows(letter, behind) == [("test:1", "{", "MalformedPost: not JSON")]


def test_a_letter_of_a_strangers_hand_is_a_row() -> None:
    strange = Letter([(f"{PREFIX}exception", b"\xff"), (f"{PREFIX}message", None)], key=None, value=None)
    assert rows(strange, Letter([])) == [("", "", "\\xff: "), ("test:1", "{", "?: ")]
