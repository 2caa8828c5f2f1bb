"""Many inputs of one: Hypothesis takes a hundred times as long for an input as a reader of posts does.

What it draws is changed here by a random number generator, whose seed it draws too, so that what
fails can be given again.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

_PIECES: Final = (
    b"", b"\x00", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]",
    b",", b":", b"=", b".", b"null", b"true", b"NaN", b"-", b"0", b"9" * 25, b"1e999", b"\n", b"\r\n",
    b"\t", b" ", b"delete", b'"op":"delete",', b'"schema_version":2,', b"[" * 300,
    "\u2028\U0001f600\u202e".encode(),
)  # fmt: skip
_LETTERS: Final = ("", "\x00", "\x1b", "\u202e", "\n", ":", "é", "\U0001f600", "9" * 20, "a", "__")


def relative(value: Any, random: Random) -> Any:
    """A value of the same type with something changed in it."""
    match value:
        case bytes():
            return _bytes(value, random)
        case str():
            at = random.randrange(len(value) + 1)
            return value[:at] + random.choice(_LETTERS) + value[at + random.randrange(3) :]
        case bool() | None:
            return value
        case int():
            return random.randrange(-1, 2 ** random.randrange(1, 64))
        case tuple() | list() if value:
            at = random.randrange(len(value))
            changed = [*value[:at], relative(value[at], random), *value[at + 1 :]]
            if isinstance(value, list) and random.random() < 0.2:
                changed.insert(at, random.choice(value))
            return type(value)(changed)
        case dict() if value:
            return {**value, (name := random.choice(list(value))): relative(value[name], random)}
    return value


def _bytes(value: bytes, random: Random) -> bytes:
    size = len(value)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(value) + 1)
        kind = random.randrange(5)
        if kind == 0 and value:
            at %= len(value)
            value = value[:at] + bytes([value[at] ^ 1 << random.randrange(8)]) + value[at + 1 :]
        elif kind == 1:
            value = value[:at] + random.choice(_PIECES) + value[at + random.randrange(9) :]
        elif kind == 2:
            value = value[:at] + value[at + random.randrange(1, 30) :]
        elif kind == 3:
            begin = random.randrange(len(value) + 1)
            value = value[:at] + value[begin : begin + random.randrange(1, 40)] + value[at:]
        elif random.random() < 0.1:
            value = value[:at]
    return value[: 4 * size + 4000]
