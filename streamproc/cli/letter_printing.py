"""Dead letters as people and scripts are shown them. They come from strangers: no control character
and no change of direction reaches the terminal as it is.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from streamproc.counting import counted
from streamproc.deadletters.stored import Place, State, StoredLetter, readable
from streamproc.entities import Revision

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_BUT_LINES: Final = re.compile(_UNPRINTABLE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_COLORS: Final = {
    State.WAITING: "yellow",
    State.PARKED: "red",
    State.REPLAYED: "green",
    State.DELETED: "dim",
    State.COPY: "dim",
}
_WITHOUT_TERMINAL: Final = 200
"""Columns of a table that goes to a file or a pipe."""
_WIDE: Final = 130
"""Columns from which on there is room for all of a table."""


def printable(text: str, pattern: re.Pattern[str] = _UNPRINTABLE) -> str:
    """Text with the characters escaped that would steer a terminal."""
    return pattern.sub(lambda found: ascii(found[0])[1:-1], text)


def when(seconds: float) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def listed(letter: StoredLetter, state: State) -> dict[str, Any]:
    """What a listing says of a letter."""
    return {
        "letter": str(letter.place),
        "failed_at": datetime.fromtimestamp(letter.failed_at, UTC).isoformat(),
        "stage": letter.stage,
        "error": letter.error,
        "message": letter.message,
        "plugin": letter.plugin,
        "attempts": letter.attempts,
        "state": state.value,
        "key": letter.key_text,
        "topic": letter.topic,
        "read_at": _place(letter.read_at),
        "revision": _place(letter.revision),
    }


def _place(where: Place | Revision | None) -> str | None:
    return None if where is None else str(Place(where.partition, where.offset))


def print_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows of a listing; a narrow terminal goes without stage, plugin and message."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WITHOUT_TERMINAL)
    widths = {"letter": 6, "failed (UTC)": 19, "stage": 7, "error": 12, "plugin": 6, "tries": 5, "state": 8}
    widths |= {"key": 8, "message": 20}
    if console.width < _WIDE:
        del widths["stage"], widths["plugin"], widths["message"]
    table = Table(box=None, pad_edge=False)
    for title, width in widths.items():
        table.add_column(title, no_wrap=True, overflow="ellipsis", min_width=width)
    for row in rows:
        cells = {**row, "failed (UTC)": when(datetime.fromisoformat(row["failed_at"]).timestamp())}
        cells["tries"] = row["attempts"]
        texts = {title: Text(printable(str(cells[title] or "-"))) for title in widths}
        texts["state"].stylize(_COLORS[State(row["state"])])
        table.add_row(*texts.values())
    console.print(table)


def summary(counts: Counter[tuple[str, State]], shown: int) -> str:
    """How many letters there are, by error and state."""
    total = sum(counts.values())
    if not total:
        return "no letters"
    which = "" if shown == total else f", the last {shown} shown (--limit shows more)"
    return f"{counted(total, 'letter')}{which}: {_by_error(counts)}"


def there_are(counts: Counter[tuple[str, State]], error: str | None) -> str:
    """Which letters there are, for one who asked for others: those of the error, else all."""
    named = Counter({which: count for which, count in counts.items() if which[0] == error})
    return f"letters there are: {_by_error(named or counts)}"


def _by_error(counts: Counter[tuple[str, State]]) -> str:
    errors: dict[str, list[str]] = {}
    for (error, state), count in sorted(counts.items()):
        errors.setdefault(error, []).append(f"{count} {state.value}")
    return "; ".join(f"{printable(error)}: {', '.join(states)}" for error, states in errors.items())


def print_letter(letter: StoredLetter, state: State, topic: str) -> None:
    """All of one letter."""
    for name, value in _fields(letter, state, topic):
        click.echo(f"{name:<12}{value}")
    if letter.body:
        click.echo(_pretty(letter.body))


def _fields(letter: StoredLetter, state: State, topic: str) -> Iterator[tuple[str, str]]:
    yield "letter", f"{letter.place} of {topic}, {state.value}"
    yield "failed", f"{when(letter.failed_at)} UTC, stage {printable(letter.stage or '-')}"
    yield "attempts", str(letter.attempts)
    yield "error", printable(f"{letter.error or '-'}: {letter.message or '-'}")
    if letter.plugin is not None:
        yield "plugin", printable(letter.plugin)
    yield "key", "none" if letter.key_text is None else printable(letter.key_text)
    yield "read at", printable(f"{letter.read_at or '-'} of {letter.topic or '-'}")
    if letter.revision is not None:
        yield "first read", f"{_place(letter.revision)}"
    for name, value in letter.own_headers():
        yield "header", printable(f"{name} = {'null' if value is None else readable(value)}")
    if letter.left_behind is not None:
        yield (
            "body",
            printable(
                f"{letter.left_behind.size} bytes, too large for a letter: they are where it was read, as "
                f"long as the topic keeps them (sha256 {letter.left_behind.digest})"
            ),
        )
    else:
        yield "body", "none" if letter.body is None else f"{len(letter.body)} bytes"


def _pretty(body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = readable(body)
    return printable(text, _BUT_LINES)


def letter_json(letter: StoredLetter, state: State) -> dict[str, Any]:
    """All of one letter, for scripts."""
    told = listed(letter, state)
    told["headers"] = [[n, None if v is None else readable(v)] for n, v in letter.headers]
    told |= _body_json(letter.body)
    left = letter.left_behind
    told["left_behind"] = None if left is None else {"sha256": left.digest, "bytes": left.size}
    return told


def _body_json(body: bytes | None) -> dict[str, str | None]:
    try:
        return {"body": None if body is None else body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body or b"").decode()}
