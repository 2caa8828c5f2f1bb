"""Each kind of fault once, small: `make chaos` has all of them at full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.suite import find
from tests.services.kafka import Kafka

SMALL = [
    ("worker-killed", 3, 250),
    ("worker-stopped", 1, 300),
    ("worker-ended", 1, 300),
    ("workers-come-and-go", 2, 300),
    ("broker-killed", 1, 300),
    ("partitions-added", 1, 300),
    ("output-refuses", 1, 300),
    ("plugin-raises", 1, 300),
    ("plugin-kills-its-process", 1, 200),
    ("disk-full", 1, 0),
    ("clock-jumps", 1, 200),
]


@pytest.mark.parametrize(("name", "times", "posts"), SMALL)
async def test_guarantees_hold(kafka: Kafka, tmp_path: Path, name: str, times: int, posts: int) -> None:
    scenario = find(name)
    outcome = await scenario.run(kafka, tmp_path, times, posts)
    assert not outcome.broken(scenario.bounds), outcome
    assert outcome.posts >= max(1, times * posts)
    assert outcome.entities + outcome.letters + outcome.skipped == outcome.posts
