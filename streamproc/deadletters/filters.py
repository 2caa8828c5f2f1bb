"""Which letters are meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from streamproc.deadletters.stored import State, StoredLetter
from streamproc.errors import InputError

_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Filter:
    """Letters that agree in everything that is named; `None` takes all.

    Attributes:
        error: the error's class, such as `PluginFailed`.
        key: Kafka key, `platform:id`.
        since: seconds since 1970; it failed then or later.
        until: seconds since 1970; it failed before.
    """

    stage: str | None = None
    error: str | None = None
    plugin: str | None = None
    key: str | None = None
    since: float | None = None
    until: float | None = None
    state: State | None = None

    def takes(self, letter: StoredLetter, state: State) -> bool:
        """Whether the letter is meant."""
        return (
            self.stage in {None, letter.stage}
            and self.error in {None, letter.error}
            and self.plugin in {None, letter.plugin}
            and self.key in {None, letter.key_text}
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
            and self.state in {None, state}
        )


def moment(text: str, now: float) -> float:
    """A time that somebody wrote: ISO 8601, in UTC where it names no zone, or how long ago.

    Args:
        text: such as `2026-03-01`, `2026-03-01T12:00+01:00`, `2h`, `3d`.
        now: seconds since 1970.

    Returns:
        Seconds since 1970.

    Raises:
        InputError: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InputError(
            f"{text!r} is no time: expected ISO 8601, such as 2026-03-01T12:00, or 30m, 2h, 3d ago"
        ) from None
