"""A log that says what repeats a few times, and then how often."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Final

OFTEN: Final = 5
PERIOD_S: Final = 30.0


class Repeats(logging.Filter):
    """Lets the same warning or error through `OFTEN` times in `PERIOD_S`; then says how many it kept back.

    The same are those of one place in the code, whatever they name.

    Args:
        loggers: whose records; those below them, too.
    """

    def __init__(self, loggers: Sequence[str]) -> None:
        super().__init__()
        self._loggers = tuple(f"{name}." for name in loggers)
        self._periods: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        if record.levelno < logging.WARNING or not f"{record.name}.".startswith(self._loggers):
            return True
        what, now = (record.name, str(record.msg)), monotonic()
        since, said = self._periods.get(what, (now, 0))
        if now - since >= PERIOD_S:
            if said > OFTEN:
                record.msg = f"{record.msg} (and {said - OFTEN} more of this kind)"
            since, said = now, 0
        self._periods[what] = since, said + 1
        return said < OFTEN
