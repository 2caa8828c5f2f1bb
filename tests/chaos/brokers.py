"""A broker that is killed, stays away, or answers late."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

from tests.chaos.kills import moments
from tests.chaos.outcome import Bounds
from tests.chaos.scenario import Scenario
from tests.chaos.stream import Stream


async def _kill(stream: Stream, times: int) -> None:
    """A new one on the same data, at the same address."""
    chance = moments()
    stream.keep()
    for _ in range(times):
        await stream.more(chance.randrange(100, 400))
        stream.kafka.server.kill()
        await asyncio.sleep(chance.uniform(0.0, 3.0))
        stream.kafka.server.start()
        await stream.recovered()


async def _stay_away(stream: Stream, times: int) -> None:
    """Until the worker has given up."""
    stream.keep()
    for _ in range(times):
        await stream.more(200)
        stream.kafka.server.kill()
        try:
            await stream.fails(len(stream.exits) + 1, "Kafka")
        finally:
            stream.kafka.server.start()
        await stream.recovered()


async def _answer_late(stream: Stream, times: int) -> None:
    """It stands still for longer than a heartbeat, and goes on for a moment, ten times in a row."""
    broker = stream.kafka.server.pid
    stream.keep()
    for _ in range(times):
        await stream.more(100)
        try:
            for _ in range(10):
                os.kill(broker, signal.SIGSTOP)
                await asyncio.sleep(1.5)
                os.kill(broker, signal.SIGCONT)
                await asyncio.sleep(0.5)
        finally:
            os.kill(broker, signal.SIGCONT)
        await stream.recovered()


SCENARIOS: Final = (
    Scenario(
        "broker-killed", "SIGKILL of the broker, and 0 to 3 s later another one on its data and port",
        _kill, times=10, posts=800, bounds=Bounds(exits=True),
    ),
    Scenario(
        "broker-away", "the broker stays away until the worker gives up after a minute, then comes back",
        _stay_away, times=1, posts=1500, bounds=Bounds(exits=True),
    ),
    Scenario(
        "broker-late", "the broker stands still for 1.5 s of every 2 s (SIGSTOP, SIGCONT), for 20 s",
        _answer_late, times=3, posts=1500, settings={"kafka.session_timeout_s": 6},
    ),
)  # fmt: skip
