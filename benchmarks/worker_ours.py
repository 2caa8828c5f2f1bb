"""Our worker over a topic that is full, until every post has ended and is committed."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.measuring import Measured, Stopwatch, report
from streamproc.settings import load_settings
from streamproc.worker import Worker


async def measure(posts: int, assignments: list[str]) -> Measured:
    """Time from the first post that is read to the last one that has ended."""
    worker = Worker(load_settings(environment={}, assignments=assignments))
    await worker.start()
    pipeline = worker.pipeline
    if pipeline is None:
        raise RuntimeError("the worker has no pipeline")
    while not pipeline.counts.read:
        await asyncio.sleep(0)
    watch, warm = Stopwatch(), pipeline.counts.finished
    while pipeline.counts.finished < posts:
        await asyncio.sleep(0.01)
    measured = watch.stop(posts - warm)
    await worker.stop()
    return measured


if __name__ == "__main__":
    report(asyncio.run(measure(int(sys.argv[1]), sys.argv[2:])))
