"""`make bench-scale`: does a post cost the same however long the backlog, and does memory stay bounded?

The topic is filled, then the workers start together and work it off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import topics
from benchmarks.machine import machine, told_machine
from tests.services import kafka as kafka_service
from tests.services.kafka import Kafka

WORKERS: Final = (1, 2)
PARTITIONS: Final = (1, 4, 16)
BACKLOGS: Final = (10_000, 100_000)
FULL: Final = 1_000_000
SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Scaled:
    """Workers over a backlog: CPU of all of them a post, posts a second, peak memory of the largest."""

    workers: int
    partitions: int
    backlog: int
    cpu_us: float
    rate: float
    start_mb: float
    peak_mb: float

    def told(self) -> str:
        """One line."""
        return (
            f"workers {self.workers}, partitions {self.partitions:2}, backlog {self.backlog:9,}: "
            f"{self.cpu_us:6.1f} CPU µs a post {self.rate:8.0f} posts/s "
            f"{self.start_mb:5.0f} MB at start, {self.peak_mb:5.0f} MB at most"
        )


def flatness(figures: Sequence[float]) -> float:
    """The greatest ÷ the least: 1 is perfectly flat."""
    return max(figures) / min(figures)


def measure(workers: int, partitions: int, backlog: int) -> Scaled:
    """One case, on a broker of its own, whose folder goes when it is done."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-scale-") as folder,
        kafka_service.running(Path(folder)) as kafka,
    ):
        return _measure(kafka, workers, partitions, backlog)


def _measure(kafka: Kafka, workers: int, partitions: int, backlog: int) -> Scaled:
    for topic in ("posts", "entities", "posts.deadletters"):
        kafka.create_topic(topic, partitions)
    with ExitStack() as stack:
        topics.fill(kafka.bootstrap, "posts", backlog)
        running = [stack.enter_context(_worker(kafka.bootstrap)) for _ in range(workers)]
        for worker in running:
            _ready(worker)
        for worker in running:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        ended = [worker.poll for worker in running]
        held = asyncio.run(
            topics.wait_for_records(
                kafka.bootstrap, "entities", backlog, SECONDS,
                given_up=lambda: any(poll() is not None for poll in ended),
            )
        )  # fmt: skip
        figures = [json.loads(worker.communicate(timeout=60)[0].splitlines()[-1]) for worker in running]
    if held < backlog:
        raise RuntimeError(f"{held} of {backlog} posts were tagged within {SECONDS:g} s")
    busy = [f for f in figures if f["posts"]]
    return Scaled(
        workers, partitions, backlog,
        cpu_us=sum(f["cpu_seconds"] for f in busy) / sum(f["posts"] for f in busy) * 1e6,
        rate=backlog / (max(f["ended"] for f in busy) - min(f["begun"] for f in busy)),
        start_mb=max(f["start_mb"] for f in figures),
        peak_mb=max(f["peak_mb"] for f in figures),
    )  # fmt: skip


def _worker(bootstrap: str) -> Any:
    """A worker's process, which waits for the word to start."""
    settings = [
        f"kafka.broker={bootstrap}",
        "plugins.noop.plugin=benchmarks.plugins:NoopPlugin",
        'routes=[{primary="noop", look="never"}]',
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker_scale", *settings],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _ready(worker: Any) -> None:
    if worker.stdout.readline() != "ready\n":
        raise RuntimeError("a worker's process did not start")


def report(cases: Sequence[Scaled]) -> str:
    """The table, and how flat it is, in markdown."""
    lines = [
        "| workers | partitions | backlog | CPU µs a post | posts/s | MB at start | MB at most |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.workers} | {c.partitions} | {c.backlog:,} | {c.cpu_us:.1f} | {c.rate:,.0f} "
        f"| {c.start_mb:.0f} | {c.peak_mb:.0f} |"
        for c in cases
    ]
    for workers in sorted({c.workers for c in cases}):
        mine = [c for c in cases if c.workers == workers]
        lines.append(
            f"\n{workers} worker{'s' * (workers > 1)}, greatest ÷ least over partitions and backlogs: "
            f"CPU a post {flatness([c.cpu_us for c in mine]):.2f}, "
            f"posts/s {flatness([c.rate for c in mine]):.2f}, "
            f"peak memory {flatness([c.peak_mb for c in mine]):.2f}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-scale", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help=f"a backlog of {FULL:,} posts too (718 MB on disk)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    given = parser.parse_args()
    cases = []
    for backlog in (*BACKLOGS, FULL) if given.full else BACKLOGS:
        for workers in WORKERS:
            for partitions in PARTITIONS:
                cases.append(measure(workers, partitions, backlog))
                print(cases[-1].told(), flush=True)
    told = f"{report(cases)}\n\n{told_machine()}\n"
    print(f"\n{told}")
    if given.json:
        found = {"machine": machine(), "cases": [asdict(case) for case in cases]}
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    if given.markdown:
        given.markdown.write_text(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
