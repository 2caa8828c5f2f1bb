"""What repeats in the log."""

from __future__ import annotations

import logging

import pytest

from streamproc.cli import quiet
from streamproc.cli.quiet import OFTEN, Repeats


def say(repeats: Repeats, name: str, level: int, msg: str, *args: object) -> str | None:
    record = logging.LogRecord(name, level, __file__, 1, msg, args, None)
    return record.getMessage() if repeats.filter(record) else None


def test_a_warning_that_repeats_is_said_a_few_times_and_then_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(quiet, "monotonic", lambda: now)
    repeats = Repeats(["aiokafka"])
    said = [say(repeats, "aiokafka.conn", logging.ERROR, "no node %d", n) for n in range(1000)]
    assert said == [f"no node {n}" for n in range(OFTEN)] + [None] * (1000 - OFTEN)
    assert say(repeats, "aiokafka.conn", logging.ERROR, "no metadata") == "no metadata"
    now = 31.0
    assert say(repeats, "aiokafka.conn", logging.ERROR, "no node %d", 7) == (
        f"no node 7 (and {1000 - OFTEN} more of this kind)"
    )
    assert say(repeats, "aiokafka.conn", logging.ERROR, "no node %d", 8) == "no node 8"


def test_others_and_what_is_no_warning_are_always_said() -> None:
    repeats = Repeats(["aiokafka"])
    for name, level in (
        ("streamproc.worker", logging.ERROR),
        ("aiokafkas", logging.ERROR),
        ("aiokafka", logging.INFO),
    ):
        assert [say(repeats, name, level, "again") for _ in range(50)] == ["again"] * 50
