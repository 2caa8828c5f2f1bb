"""The audit sees what is wrong: made-up topics, each with one fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.audit import audit
from tests.chaos.observer import Sample
from tests.chaos.posts import PLUGIN

POST = {"platform": "test", "id": "1", "text": "Ada met Grace"}


def message(offset: int, value: bytes) -> Any:
    """A message of the only partition of `posts`."""
    return SimpleNamespace(partition=0, offset=offset, key=b"test:1", value=value)


def tagged(offset: int, at: int, names: Sequence[str] = ("Ada", "Grace"), took: float = 1.0) -> Any:
    """The tagged post of the message at `offset`, written at `at`."""
    key = f"test:1:{PLUGIN}"
    content = {
        "post_id": "1",
        "op": "create",
        "entity_key": key,
        "idempotency_key": f"{key}:0-{offset}:1",
        "entities": [{"text": name} for name in names],
        "revision": {"partition": 0, "offset": offset},
        "timings": {"total_ms": took},
    }
    return SimpleNamespace(
        partition=0, offset=at, key=b"test:1", value=json.dumps(content).encode(), headers=(), timestamp=at
    )


def letter(offset: int, error: str, value: bytes) -> Any:
    headers = [
        ("__streamproc.errors.partition", b"0"),
        ("__streamproc.errors.offset", b"%d" % offset),
        ("__streamproc.errors.exception", error.encode()),
        ("__streamproc.errors.failed_at", b"%d" % offset),
    ]
    return SimpleNamespace(partition=0, offset=0, key=b"test:1", value=value, headers=headers, timestamp=0)


GOOD = json.dumps(POST).encode()
BROKEN = b"{"


def look(committed: int, out: int) -> Sample:
    return Sample(0.0, {0: committed}, {0: 9}, {0: out})


def faults(
    entities: Sequence[Any],
    letters: Sequence[Any] = (),
    samples: Sequence[Sample] = (),
    posts: Sequence[bytes] = (GOOD, GOOD),
    acknowledged: Sequence[tuple[bytes, bytes]] = (),
) -> dict[str, int]:
    """What the audit counts beside the ends of posts."""
    observer: Any = SimpleNamespace(
        posts="posts",
        entities="entities",
        letters="letters",
        records={
            "posts": [message(offset, value) for offset, value in enumerate(posts)],
            "entities": entities,
            "letters": letters,
        },
        samples=samples,
    )
    counts = audit(observer, acknowledged, too_large=False).counts
    return {
        what: n
        for what, n in counts.items()
        if n and what not in {"posts", "entities", "letters", "skipped"}
    }


BOTH = [tagged(0, 0), tagged(1, 1)]
AGAIN = [*BOTH, tagged(1, 2)]
FAILED = letter(1, "PluginFailed", GOOD)
MALFORMED = letter(1, "MalformedPost", BROKEN)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"entities": BOTH}, {}),
        ({"entities": BOTH, "samples": [look(0, 0), look(2, 2)]}, {}),
        ({"entities": BOTH[:1]}, {"lost": 1}),
        ({"entities": BOTH, "acknowledged": [(b"test:1", b"gone")]}, {"lost": 1}),
        ({"entities": [*BOTH, tagged(7, 2)]}, {"wrong": 1}),
        ({"entities": [BOTH[0], tagged(1, 1, ["Ada"])]}, {"wrong": 1}),
        ({"entities": BOTH, "letters": [FAILED]}, {"wrong": 1, "duplicates": 1, "different": 1}),
        ({"entities": BOTH[:1], "letters": [FAILED]}, {"wrong": 1}),
        ({"entities": BOTH[:1], "letters": [MALFORMED], "posts": [GOOD, BROKEN]}, {}),
        ({"entities": [*BOTH, tagged(1, 2, took=5.0)]}, {"duplicates": 1}),
        ({"entities": [*BOTH, tagged(1, 2, ["Grace"])]}, {"duplicates": 1, "different": 1}),
        ({"entities": [*BOTH, tagged(0, 2), tagged(1, 3)]}, {"duplicates": 2}),
        ({"entities": [*BOTH, tagged(0, 2)]}, {"duplicates": 1, "stale": 1}),
        ({"entities": BOTH[::-1]}, {"overtaken": 1, "stale": 1}),
        ({"entities": AGAIN, "samples": [look(0, 0), look(1, 2)]}, {"duplicates": 1}),
        ({"entities": AGAIN, "samples": [look(0, 0), look(2, 2)]}, {"duplicates": 1, "repeated_late": 1}),
        ({"entities": BOTH, "samples": [look(2, 2), look(1, 2)]}, {"went_back": 1}),
    ],
)  # fmt: skip
def test_a_fault_is_counted_and_nothing_else(given: dict[str, Any], found: dict[str, int]) -> None:
    assert faults(**given) == found
