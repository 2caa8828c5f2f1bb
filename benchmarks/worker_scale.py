"""Our worker, which starts when it is told to, and tells what it took when it is told to end.

It reads its standard input: a line lets it start, the end of the input ends it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from time import time

from benchmarks.measuring import Stopwatch
from streamproc.settings import load_settings
from streamproc.worker import Worker


async def measure(assignments: list[str]) -> dict[str, float]:
    """Posts, CPU seconds, when the first was read and the last had ended, and memory."""
    worker = Worker(load_settings(environment={}, assignments=assignments))
    await worker.start()
    leash = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    pipeline = worker.pipeline
    if pipeline is None:
        raise RuntimeError("the worker has no pipeline")
    while not pipeline.counts.read and not leash.done():
        await asyncio.sleep(0)
    watch, begun, start_kb = Stopwatch(), time(), _peak_kb()
    warm = finished = pipeline.counts.finished
    last, ended = watch.stop(1), begun
    while not leash.done():
        await asyncio.sleep(0.01)
        if pipeline.counts.finished > finished:
            finished = pipeline.counts.finished
            last, ended = watch.stop(finished - warm), time()
    await worker.stop()
    return {
        "posts": finished - warm,
        "cpu_seconds": last.cpu_seconds,
        "begun": begun,
        "ended": ended,
        "start_mb": start_kb / 1024,
        "peak_mb": _peak_kb() / 1024,
    }


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print("ready", flush=True)
    if sys.stdin.readline():
        print(json.dumps(asyncio.run(measure(sys.argv[1:]))), flush=True)
