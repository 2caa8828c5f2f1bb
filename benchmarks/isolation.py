"""The default model in a thread of the worker against the same in a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

from benchmarks.measuring import Measured, Stopwatch
from benchmarks.posts import make_posts
from benchmarks.ratios import Ratio
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import load_plugin
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.fusion.microbatch import estimated_tokens
from streamproc.fusion.runner import Runner, ThreadRunner
from streamproc.posts import Post, parse
from streamproc.settings import PluginSettings
from streamproc.vision.visuals import Missing

MODEL: Final = "mner-tweets-sm"
POSTS: Final = 2_000
BATCH: Final = 64
GOAL: Final = 0.9


def measure(rounds: int, told: Callable[[str], None]) -> list[Ratio]:
    """Rates and CPU a post of both, in turn; `told` gets a line for each.

    Returns:
        posts/s of the process ÷ those of the thread, and the same for CPU a post.
    """
    return asyncio.run(_measure(rounds, told))


async def _measure(rounds: int, told: Callable[[str], None]) -> list[Ratio]:
    loaded = load_plugin(MODEL)
    process = ProcessRunner(MODEL, PluginSettings(model=MODEL, isolation="process"))
    await process.start()
    runners: dict[str, Runner] = {"thread": ThreadRunner(MODEL, loaded.model), "process": process}
    visuals = dict.fromkeys(loaded.model.modalities, Missing("absent"))
    messages = [parse(value) for _, value in make_posts(POSTS)]
    posts = [FusionInput(m.text, m.lang, visuals) for m in messages if isinstance(m, Post)]
    posts.sort(key=lambda post: estimated_tokens(post.text))
    measured: dict[str, list[Measured]] = {name: [] for name in runners}
    for number in range(rounds + 1):  # the first round only warms up
        for name, runner in runners.items():
            found = await _tag_all(runner, posts, process.pid)
            if number:
                measured[name].append(found)
                told(f"{name:8} {found.rate:9.0f} posts/s {found.cpu_us:9.1f} CPU µs a post")
    for runner in runners.values():
        await runner.close()
    pairs = list(zip(measured["process"], measured["thread"], strict=True))
    cpu = [process.cpu_us / thread.cpu_us for process, thread in pairs]
    rate = [process.rate / thread.rate for process, thread in pairs]
    return [
        Ratio.at_least("posts/s, a process ÷ a thread", GOAL, rate),
        Ratio("CPU a post, a process ÷ a thread", "≤ 1.1", median(cpu) <= 1.1, median(cpu), cpu),
    ]


async def _tag_all(runner: Runner, posts: list[FusionInput], child: int | None) -> Measured:
    """Wall clock, and CPU of this process and the child, for all posts in length-sorted batches."""
    cpu, watch, start = _cpu_of(child), Stopwatch(), monotonic()
    for first in range(0, len(posts), BATCH):
        await runner.tag(posts[first : first + BATCH])
    seconds, own = monotonic() - start, watch.stop(len(posts))
    return Measured(len(posts), seconds, own.cpu_seconds + _cpu_of(child) - cpu)


def _cpu_of(pid: int | None) -> float:
    """CPU seconds of a process so far; of all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
