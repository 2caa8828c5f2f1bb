"""From the start of a worker's process to its first entities message; the topic is full."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from time import time
from typing import Final

from benchmarks.peers import Peer
from benchmarks.processes import our_worker, started
from benchmarks.ratios import Ratio
from benchmarks.running import Bench
from benchmarks.topics import read_all, wait_for_records

POSTS: Final = 200
GOAL_S: Final = 1.5


def measure(bench: Bench, peers: Sequence[Peer]) -> list[Ratio]:
    """Seconds of our worker without a model, as its command starts it, and of stock Faust, in turn."""
    source = bench.fill("starting", POSTS)
    seconds: dict[str, list[float]] = {"ours": [], **{peer.name: [] for peer in peers}}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(bench.rounds + 1):
            for name, took in _round(bench, source, peers, folder).items():
                if number:  # the first one compiles the modules, as an installation does
                    seconds[name].append(took)
    return [
        Ratio.at_most("s from start to first post, ours", GOAL_S, seconds.pop("ours")),
        *(Ratio.told_only(f"s from start to first post, {name}", all_) for name, all_ in seconds.items()),
    ]


def _round(bench: Bench, source: str, peers: Sequence[Peer], folder: str) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
    target, dead = bench.targets()
    command = our_worker(bench.settings(source, target, dead, "noop"), bench.python)
    seconds = {"ours": _seconds(bench, target, environment, *command)}
    for peer in peers:
        target, _ = bench.targets()
        arguments = [str(POSTS), bench.kafka.bootstrap, source, target]
        seconds[peer.name] = _seconds(bench, target, environment, bench.python, peer.module, arguments)
    return seconds


def _seconds(
    bench: Bench,
    target: str,
    environment: Mapping[str, str],
    python: str,
    module: str,
    arguments: Sequence[str],
) -> float:
    begin = time()
    with started(python, module, arguments, environment) as worker:
        asyncio.run(
            wait_for_records(
                bench.kafka.bootstrap, target, 1, 120, given_up=lambda: worker.ended is not None
            )
        )
        records = asyncio.run(read_all(bench.kafka.bootstrap, target))
        if not records:
            raise RuntimeError(f"{module} published nothing: {worker.last_words}")
    return min(at for _, at in records) / 1000 - begin
