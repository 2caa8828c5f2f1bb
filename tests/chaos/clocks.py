"""A wall clock that jumps under a worker.

libfaketime (Debian: `faketime`) shifts the clock of the whole process. Without it only Python's `time.time`
is shifted, which the timestamps of messages do not follow. Under it `time.sleep` fails; a worker with its
plugin in a thread does not sleep so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.chaos.kills import moments
from tests.chaos.outcome import Bounds
from tests.chaos.posts import PLUGIN
from tests.chaos.scenario import Scenario
from tests.chaos.stream import Stream
from tests.chaos.workers import Broken

HOUR: Final = 3600.0

_LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
_PYTHON_ONLY: Final = '''
"""Python reads this at its start: the clock of this process is ahead by the seconds that a file names."""
import time
from pathlib import Path

FILE = Path(__file__).with_name("ahead")
true_time, true_time_ns = time.time, time.time_ns

def ahead():
    return float(FILE.read_text() or 0)

time.time = lambda: true_time() + ahead()
time.time_ns = lambda: true_time_ns() + int(ahead() * 1e9)
'''


def _set_clock(stream: Stream, ahead_s: float) -> None:
    (stream.folder / "clock").mkdir(exist_ok=True)
    draft = stream.folder / "clock" / "ahead.new"
    draft.write_text(f"{ahead_s:+.0f}")
    draft.rename(draft.with_suffix(""))


def _give_clock(stream: Stream) -> None:
    _set_clock(stream, 0.0)
    if _LIBRARY is None:
        (stream.folder / "clock" / "sitecustomize.py").write_text(_PYTHON_ONLY)
        stream.environment["PYTHONPATH"] = str(stream.folder / "clock")
        return
    stream.environment |= {
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(stream.folder / "clock" / "ahead"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def _jump(stream: Stream, times: int) -> None:
    chance = moments()
    _give_clock(stream)
    stream.keep()
    for number in range(times):
        await stream.more(chance.randrange(50, 200))
        back = chance.uniform(60, 24 * HOUR)
        _set_clock(stream, -back if number % 2 else chance.uniform(60, 0.9 * HOUR))
        await stream.recovered(everywhere=True)
        _set_clock(stream, 0.0)
        await stream.recovered()


async def _run_ahead(stream: Stream, times: int) -> None:
    """A broker takes no message from more than an hour ahead."""
    if _LIBRARY is None:
        raise Broken("needs libfaketime: apt-get install faketime")
    _give_clock(stream)
    stream.keep()
    for _ in range(times):
        await stream.more(100)
        _set_clock(stream, 24 * HOUR)
        await stream.fails(len(stream.exits) + 1, "InvalidTimestamp")
        _set_clock(stream, 0.0)
        await stream.recovered()


_IN_THE_WORKER: Final = {f"plugins.{PLUGIN}.isolation": "thread"}

SCENARIOS: Final = (
    Scenario(
        "clock-jumps", "the worker's clock jumps up to 54 minutes ahead or a day back, and returns",
        _jump, times=10, posts=800, bounds=Bounds(repeats=False), settings=_IN_THE_WORKER,
    ),
    Scenario(
        "clock-ahead", "the worker's clock is a day ahead, which Kafka refuses; then it is right again",
        _run_ahead, times=2, posts=800, bounds=Bounds(exits=True), settings=_IN_THE_WORKER,
    ),
)  # fmt: skip
