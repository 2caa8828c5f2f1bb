"""The way through a broker: our worker beside its peers, and with the default model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Final

from benchmarks.measuring import Measured, run_worker
from benchmarks.peers import PEERS, Peer
from benchmarks.ratios import Ratio
from benchmarks.running import Bench

NOOP_POSTS: Final = 40_000
MODEL_POSTS: Final = 3_000
TUTORIAL_POSTS: Final = 600
MODEL: Final = "mner-tweets-sm"
OURS: Final = "ours"
GOALS: Final = {"stock Faust agent": 10.0, "Quix Streams": 1.0}
"""Posts/s, ours ÷ the peer's, at least; of the others it is only told."""
CPU_US: Final = 25.0
"""A post of ours, at most."""

_VERSION = "from importlib.metadata import version; import sys; print(version(sys.argv[1]))"


def versions(python: str, distributions: list[str]) -> dict[str, str]:
    """Of the distributions that an interpreter has."""
    found = {}
    for name in distributions:
        told = subprocess.run(
            [python, "-c", _VERSION, name], capture_output=True, text=True, timeout=60, check=False
        )
        if not told.returncode:
            found[name] = told.stdout.strip()
    return found


def present(python: str) -> tuple[Peer, ...]:
    """The peers that can run here; of the others a line says why they are left out."""
    found = versions(python, [peer.distribution for peer in PEERS])
    for peer in PEERS:
        if peer.distribution not in found:
            print(
                f"left out: {peer.name}: {peer.distribution} is not installed for this Python (make bench)"
            )
    return tuple(peer for peer in PEERS if peer.distribution in found)


def compare_peers(bench: Bench, peers: tuple[Peer, ...], posts: int = NOOP_POSTS) -> list[Ratio]:
    """Each worker over the same topic, with a tagger that finds nothing."""
    bench.fill("noop", posts)
    candidates: dict[str, Callable[[], Measured]] = {
        OURS: partial(bench.ours, "noop", posts, "noop", bench.python)
    }
    for peer in peers:
        candidates[peer.name] = partial(bench.other, peer.module, "noop", posts, bench.python)
    bench.alternate(candidates)
    ratios = [Ratio.at_most("CPU µs a post, ours", CPU_US, [m.cpu_us for m in bench.measured[OURS]])]
    for peer in peers:
        rate = bench.ratio(lambda m: m.rate, OURS, peer.name)
        what = f"posts/s, ours ÷ {peer.name}"
        goal = GOALS.get(peer.name)
        ratios.append(Ratio.told_only(what, rate) if goal is None else Ratio.at_least(what, goal, rate))
    for peer in peers:
        cpu = bench.ratio(lambda m: m.cpu_us, OURS, peer.name)
        ratios.append(Ratio.told_only(f"CPU a post, ours ÷ {peer.name}", cpu))
    return ratios


def compare_model(bench: Bench) -> list[Ratio]:
    """The default model through Kafka, against itself alone and against a consumer as tutorials have it."""
    bench.fill("model", MODEL_POSTS)
    bench.fill("tutorial", TUTORIAL_POSTS)
    ours, alone, other = "ours, default model", "the model alone, offline", "tutorial consumer, torch"
    bench.alternate(
        {
            ours: partial(bench.ours, "model", MODEL_POSTS, MODEL, sys.executable),
            alone: lambda: run_worker("benchmarks.offline", str(MODEL_POSTS), MODEL),
            other: partial(
                bench.other, "benchmarks.worker_tutorial", "tutorial", TUTORIAL_POSTS, sys.executable
            ),
        }
    )
    return [
        Ratio.at_least(
            "posts/s, ours ÷ the model offline", 0.95, bench.ratio(lambda m: m.rate, ours, alone)
        ),
        Ratio.at_least(
            "posts/s, ours ÷ tutorial consumer", 5.0, bench.ratio(lambda m: m.rate, ours, other)
        ),
    ]


def capacity(bench: Bench) -> tuple[float, float]:
    """Posts a second of our worker with the default model, and of the model alone: medians."""
    ours, alone = (
        median(m.rate for m in bench.measured[name])
        for name in ("ours, default model", "the model alone, offline")
    )
    return ours, alone
