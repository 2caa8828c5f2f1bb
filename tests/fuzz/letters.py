"""What may lie in the dead letters' topic: letters, marks, and what neither of them is."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

from hypothesis import strategies as st

from streamproc.cli.letter_printing import letter_json, listed, print_letter
from streamproc.deadletters.filters import Filter
from streamproc.deadletters.letter import ATTEMPTS_HEADER, PREFIX, REVISION_HEADER
from streamproc.deadletters.marks import MARK_HEADER, is_mark, mark, read_mark
from streamproc.deadletters.stored import Place, State, StoredLetter
from tests.fuzz.inputs import TEXTS
from tests.fuzz.posts import BODIES
from tests.fuzz.target import Target, plain

_OURS: Final = (
    "exception", "message", "stage", "topic", "partition", "offset", "timestamp", "failed_at", "plugin",
    "body.sha256", "body.bytes",
)  # fmt: skip
_NAMES: Final = st.sampled_from(
    [MARK_HEADER, REVISION_HEADER, ATTEMPTS_HEADER, *(PREFIX + name for name in _OURS)]
) | st.text(max_size=6)
_VALUES: Final = (
    st.none()
    | st.binary(max_size=20)
    | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.integers().map(lambda number: str(number).encode())
    | st.tuples(st.integers(0, 9), st.integers(0, 12)).map(lambda at: f"{at[0]}:{at[1]}".encode())
    | st.sampled_from([b"nan", b"inf", b"1e308", b"-0", b"1_0", b"0:1 deleted", b"\x1b[2J", b"9" * 5000])
)
_STEERING: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FILTERS: Final = (Filter(), Filter(stage="fuse", error="PluginFailed", key="x:1", since=0.0, until=1e9))


@dataclass(frozen=True)
class _Lying:
    """A record of the letters' topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int
    topic: str = "posts.deadletters"
    partition: int = 0
    offset: int = 5


def _letter(given: Any) -> None:
    record: Any = _Lying(*given)
    letter = StoredLetter.read(record)
    assert letter.place == Place(0, 5)
    for state in State:
        json.dumps([listed(letter, state), letter_json(letter, state)]).encode()
    shown = StringIO()
    with redirect_stdout(shown):
        print_letter(letter, State.WAITING, "posts.deadletters")
    assert not _STEERING.search(shown.getvalue()), "what steers a terminal is shown as it is"
    shown.getvalue().encode()
    for wanted in _FILTERS:
        wanted.takes(letter, State.WAITING)
    letter.post_key()
    again = dict(letter.headers_for_replay(letter.own_headers()))
    assert int(again[ATTEMPTS_HEADER] or b"") == letter.attempts >= 0
    _marks(record, letter)


def _marks(record: Any, letter: StoredLetter) -> None:
    if is_mark(record) and (found := read_mark(record)) is not None:
        assert found.letter.partition == 0
        assert found.letter.offset < 5
    for state in (State.REPLAYED, State.DELETED):
        made = mark("posts.deadletters", letter, state)
        behind: Any = _Lying(made.key, made.value, list(made.headers), 0, offset=6)
        assert is_mark(behind)
        assert read_mark(behind) == (letter.place, state)


TARGETS: Final = (
    Target(
        "letters",
        st.tuples(
            st.none() | st.binary(max_size=10),
            st.none() | BODIES,
            st.lists(st.tuples(_NAMES, _VALUES), max_size=8),
            st.integers(-1, 2**63 - 1),
        ),
        plain(_letter),
        relatives=40,
        cost=4,
    ),
)
