"""What is asked of looking: each goal measured, one after the other."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.ratios import Ratio
from benchmarks.vision.batching import measure_batching
from benchmarks.vision.hits import measure_hits
from benchmarks.vision.posts import TOKENS, measure_posts
from tests.services import redis as redis_service


def measure(rounds: int, told: Callable[[Ratio], None]) -> list[Ratio]:
    """Measure all; `told` gets each as it is done."""
    ratios = []

    def done(ratio: Ratio) -> None:
        ratios.append(ratio)
        told(ratio)

    with tempfile.TemporaryDirectory() as folder, redis_service.running(Path(folder)) as redis_url:
        done(asyncio.run(measure_hits(rounds, redis_url)))
        for tokens in TOKENS:
            done(asyncio.run(measure_posts(rounds, redis_url, tokens)))
    with tempfile.TemporaryDirectory() as folder:
        done(measure_batching(rounds, Path(folder)))
    return ratios
