"""Plugins that misbehave."""

from __future__ import annotations

from typing import Final

from tests.chaos.outcome import Bounds
from tests.chaos.posts import PLUGIN
from tests.chaos.scenario import Scenario
from tests.chaos.stream import Stream


async def _work(stream: Stream, times: int) -> None:
    """The fault is in the posts."""
    stream.keep()
    await stream.finished()


def _plugin(**settings: object) -> dict[str, object]:
    return {f"plugins.{PLUGIN}.{key}": value for key, value in settings.items()}


def _in_the_worker(**settings: object) -> dict[str, object]:
    return _plugin(isolation="thread", **settings)


_ONCE: Final = {"config.once": "{folder}/done"}


SCENARIOS: Final = (
    Scenario(
        "plugin-raises", "the plugin raises on 1 post in 100", _work, times=10, posts=500,
        bounds=Bounds(repeats=False), deeds={"raise": 100},
    ),
    Scenario(
        "plugin-ends-its-thread", "the plugin raises SystemExit in the worker's thread, on 1 post in 100",
        _work, times=4, posts=500, bounds=Bounds(repeats=False), settings=_in_the_worker(),
        deeds={"exit": 100},
    ),
    Scenario(
        "plugin-miscounts", "the plugin gives one result too few, on 1 post in 100", _work,
        times=4, posts=500, bounds=Bounds(repeats=False), deeds={"short": 100},
    ),
    Scenario(
        "plugin-hangs", "the plugin hangs on 1 post in 500 (process of its own, deadline 1 s)", _work,
        times=8, posts=500, bounds=Bounds(repeats=False), settings=_plugin(deadline_s=1),
        deeds={"hang": 500},
    ),
    Scenario(
        "plugin-kills-its-process",
        "the plugin ends its own process: SIGKILL on 1 post in 200, a segmentation fault on another",
        _work, times=8, posts=500, bounds=Bounds(repeats=False), deeds={"kill": 200, "segfault": 200},
    ),
    Scenario(
        "plugin-leaks", "the plugin keeps 20 MB of 1 post in 25 (process of its own, memory_mb 256)", _work,
        times=4, posts=500, bounds=Bounds(repeats=False), settings=_plugin(memory_mb=256),
        deeds={"leak": 25},
    ),
    Scenario(
        "plugin-kills-the-worker", "the plugin, in the worker's thread, kills the worker; another starts",
        _work, times=1, posts=1500, bounds=Bounds(exits=True),
        settings=_in_the_worker(**_ONCE), deeds={"once-kill": 900},
    ),
    Scenario(
        "plugin-hangs-in-the-worker",
        "the plugin, in the worker's thread, hangs; the worker exits (stuck_s 4, exit_s 5); another starts",
        _work, times=1, posts=1500, bounds=Bounds(exits=True),
        settings={
            **_in_the_worker(**_ONCE), "health.stuck_s": 4, "health.exit_s": 5, "limits.drain_s": 0,
        },
        deeds={"once-hang": 900},
    ),
)  # fmt: skip
