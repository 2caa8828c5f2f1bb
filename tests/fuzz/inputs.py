"""Bytes and values that strangers may send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_PIECES: Final = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud800", b"\\u0000", b"null", b"true",
    b"NaN", b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b'"', b"{", b"}",
    b"]", b",", b":", b"\r\n", b"\n", b"\t", b" ", b"", "\u2028\U0001f600\u202e".encode(),
)  # fmt: skip
_NUMBERS: Final = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**30, 1e308])

TEXTS: Final = st.text(max_size=12) | st.sampled_from(
    ["", "\x00", "\u202e", "a\nb", "\ud800", "x" * 300, "1", "true", "2026-11-01T10:00:00Z", "0001-01-01"]
)
VALUES: Final[SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | _NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""Any value of JSON, and some that it has no form for."""

_EDITS: Final = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 40), st.sampled_from(_PIECES) | st.binary(max_size=6)),
    min_size=1,
    max_size=5,
)


def damaged(seeds: Sequence[bytes]) -> SearchStrategy[bytes]:
    """Bytes that were right once: some cut out, some put in."""

    def edit(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for place, gone, put in edits:
            at = place % (len(seed) + 1)
            seed = seed[:at] + put + seed[at + gone :]
        return seed

    cut = st.builds(
        lambda seed, at: seed[: at % (len(seed) + 1)], st.sampled_from(seeds), st.integers(0, 2**20)
    )
    flipped = st.builds(_flip, st.sampled_from(seeds), st.integers(0, 2**24))
    return st.builds(edit, st.sampled_from(seeds), _EDITS) | cut | flipped


def _flip(seed: bytes, at: int) -> bytes:
    if not seed:
        return seed
    changed = bytearray(seed)
    changed[at // 8 % len(seed)] ^= 1 << at % 8
    return bytes(changed)


def objects(fields: Mapping[str, SearchStrategy[Any]]) -> SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, of which some are what they should be."""
    return st.fixed_dictionaries({}, optional={name: right | VALUES for name, right in fields.items()})


def as_json(values: SearchStrategy[Any]) -> SearchStrategy[bytes]:
    """Values in UTF-8 JSON, escaped or not; what JSON has no form for as Python writes it."""
    return st.builds(
        lambda value, escaped: json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass"),
        values,
        st.booleans(),
    )


def changed(value: Any, path: Sequence[int], put: Any) -> Any:
    """The same value of JSON with one part of it replaced, or left out where `put` is `...`.

    Args:
        value: of JSON.
        path: which part: at each level the number of the member, counted round.
        put: what stands there instead.
    """
    if not path or not isinstance(value, dict | list) or not value:
        return put
    rest = path[1:]
    at = path[0] % len(value)
    if isinstance(value, list):
        part = changed(value[at], rest, put)
        return [*value[:at], *([] if part is ... else [part]), *value[at + 1 :]]
    name = list(value)[at]
    part = changed(value[name], rest, put)
    others = {key: other for key, other in value.items() if key != name}
    return others if part is ... else {**value, name: part}


def changes() -> SearchStrategy[list[tuple[list[int], Any]]]:
    """Places in a value of JSON, and what is put there: see `changed`."""
    place = st.lists(st.integers(0, 200), min_size=1, max_size=4)
    return st.lists(st.tuples(place, VALUES | st.just(...)), min_size=1, max_size=3)
