"""Workers that are killed, stopped, ended, and that come and go."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Final

from tests.chaos.outcome import Bounds
from tests.chaos.scenario import Scenario
from tests.chaos.stream import DRAIN_S, Stream


def moments() -> random.Random:
    """Random moments that are the same in each run."""
    return random.Random(int(os.environ.get("STREAMPROC_SEED", "7")))


async def _kill(stream: Stream, times: int) -> None:
    """In the middle of its work, or (one in three) within its first seconds."""
    chance = moments()
    worker = stream.start_worker()
    await stream.more(1)
    for number in range(times):
        if number % 3 == 2:
            await asyncio.sleep(chance.uniform(0.2, 4.0))
        else:
            await stream.more(chance.randrange(20, 400))
        worker.kill()
        worker = stream.start_worker()
        if number % 3 != 1:
            await stream.recovered()


async def _stop(stream: Stream, times: int) -> None:
    """One of two, until the other one has gone on with all partitions; then it comes back."""
    workers = [stream.start_worker(), stream.start_worker()]
    await stream.shared_by(2)
    for _ in range(times):
        await stream.more(100)
        workers[0].freeze()
        await stream.shared_by(1)
        await stream.recovered(everywhere=True)
        workers[0].thaw()
        await stream.shared_by(2)
        await stream.recovered()
        workers.reverse()


async def _end(stream: Stream, times: int) -> None:
    chance = moments()
    worker = stream.start_worker()
    await stream.more(1)
    for _ in range(times):
        await stream.more(chance.randrange(20, 300))
        worker.ask_to_end()
        await worker.ended(DRAIN_S + 10.0)
        worker = stream.start_worker()
        await stream.recovered()


async def _come_and_go(stream: Stream, times: int) -> None:
    chance = moments()
    workers = [stream.start_worker()]
    await stream.more(1)
    for number in range(times):
        if len(workers) == 1 or (len(workers) < 3 and number % 2):
            workers.append(stream.start_worker())
        else:
            worker = workers.pop(chance.randrange(len(workers)))
            worker.ask_to_end()
            await worker.ended(DRAIN_S + 10.0)
        await stream.shared_by(len(workers))
        await stream.recovered()


SCENARIOS: Final = (
    Scenario(
        "worker-killed",
        "SIGKILL of the only worker at random moments, also while it starts and joins; another starts",
        _kill, times=30, posts=500,
    ),
    Scenario(
        "worker-stopped",
        "SIGSTOP of one of two workers until the other has its partitions and goes on, then SIGCONT",
        _stop, times=5, posts=800, bounds=Bounds(zombies=True),
    ),
    Scenario(
        "worker-ended",
        f"SIGTERM of the only worker at random moments; it has {DRAIN_S + 10:g} s; another starts",
        _end, times=10, posts=500, bounds=Bounds(repeats=False),
    ),
    Scenario(
        "workers-come-and-go",
        "under load workers join and leave (SIGTERM), one to three of them",
        _come_and_go, times=12, posts=500, bounds=Bounds(repeats=False),
    ),
)  # fmt: skip
