"""`make bench`: the way through a broker, the model families, pictures; prints what each reached."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks import families, isolation
from benchmarks.measuring import Measured, run_worker
from benchmarks.posts import make_posts
from benchmarks.ratios import Ratio, told
from benchmarks.vision import goals
from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from tests.services import kafka as kafka_service
from tests.services.kafka import Kafka

NOOP_POSTS = 40_000
MODEL_POSTS = 3_000
TUTORIAL_POSTS = 600
MODEL = "mner-tweets-sm"
PARTS = ["stream", "families", "vision", "ocr", "isolation"]


class Bench:
    """Runs measured workers against topics that are full."""

    def __init__(self, kafka: Kafka, rounds: int) -> None:
        self._kafka = kafka
        self._rounds = rounds
        self._run = 0
        self.measured: dict[str, list[Measured]] = {}

    def fill(self, topic: str, posts: int) -> None:
        """A topic of four partitions that holds so many posts."""
        self._kafka.create_topic(topic, 4)
        asyncio.run(_send(self._kafka.bootstrap, topic, posts))

    def alternate(self, candidates: dict[str, Callable[[], Measured]]) -> None:
        """Each candidate in turn, for all rounds, so that noise of the machine meets all of them."""
        for number in range(1, self._rounds + 1):
            for name, run in candidates.items():
                measured = run()
                self.measured.setdefault(name, []).append(measured)
                print(
                    f"round {number}: {name:28} {measured.rate:9.0f} posts/s "
                    f"{measured.cpu_us:9.1f} CPU µs a post",
                    flush=True,
                )

    def ours(self, topic: str, posts: int, plugin: str) -> Measured:
        """Our worker with a plugin, text only."""
        target, dead = self._topics()
        return run_worker(
            "benchmarks.worker_ours", str(posts),
            f"kafka.broker={self._kafka.bootstrap}", f"kafka.group={target}",
            f"topics.posts={topic}", f"topics.entities={target}", f"topics.deadletters={dead}",
            "plugins.noop.plugin=benchmarks.plugins:NoopPlugin",
            f'routes=[{{primary="{plugin}", look="never"}}]',
        )  # fmt: skip

    def other(self, module: str, topic: str, posts: int) -> Measured:
        """Another worker over the same posts."""
        target, _ = self._topics()
        return run_worker(module, str(posts), self._kafka.bootstrap, topic, target)

    def _topics(self) -> tuple[str, str]:
        self._run += 1
        names = f"out{self._run}", f"dead{self._run}"
        for name in names:
            self._kafka.create_topic(name, 4)
        return names

    def ratio(self, figure: Callable[[Measured], float], ours: str, other: str) -> list[float]:
        """Ours ÷ other in each round."""
        pairs = zip(self.measured[ours], self.measured[other], strict=True)
        return [figure(a) / figure(b) for a, b in pairs]


async def _send(bootstrap: str, topic: str, posts: int) -> None:
    made = make_posts(posts)
    async with BatchProducer(Link(bootstrap)) as producer:
        for start in range(0, posts, 1000):
            chunk = made[start : start + 1000]
            await producer.send([Outgoing(topic, key, value) for key, value in chunk])


def run(kafka: Kafka, rounds: int) -> tuple[Bench, list[Ratio]]:
    """All measurements and what they come to."""
    bench = Bench(kafka, rounds)
    bench.fill("noop", NOOP_POSTS)
    bench.alternate(
        {
            "ours, no-op plugin": lambda: bench.ours("noop", NOOP_POSTS, "noop"),
            "stock Faust, no-op": lambda: bench.other("benchmarks.worker_faust", "noop", NOOP_POSTS),
        }
    )
    bench.fill("model", MODEL_POSTS)
    bench.fill("tutorial", TUTORIAL_POSTS)
    bench.alternate(
        {
            "ours, default model": lambda: bench.ours("model", MODEL_POSTS, MODEL),
            "the model alone, offline": lambda: run_worker("benchmarks.offline", str(MODEL_POSTS), MODEL),
            "tutorial consumer, torch": lambda: bench.other(
                "benchmarks.worker_tutorial", "tutorial", TUTORIAL_POSTS
            ),
        }
    )
    cpu = bench.ratio(lambda m: m.cpu_us, "ours, no-op plugin", "stock Faust, no-op")
    offline = bench.ratio(lambda m: m.rate, "ours, default model", "the model alone, offline")
    tutorial = bench.ratio(lambda m: m.rate, "ours, default model", "tutorial consumer, torch")
    return bench, [
        Ratio("CPU a post, ours ÷ stock Faust, no-op", "≤ 0.20", median(cpu) <= 0.20, median(cpu), cpu),
        Ratio.at_least("posts/s, ours ÷ the model offline", 0.8, offline),
        Ratio.at_least("posts/s, ours ÷ tutorial consumer", 2.5, tutorial),
    ]


def machine() -> dict[str, str]:
    """Where and with what it was measured."""
    packages = (
        "streamproc",
        "faust-streaming",
        "aiokafka",
        "onnxruntime",
        "torch",
        "pydantic",
        "orjson",
        "redis",
        "rapidocr",
        "tritonclient",
    )
    return {
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        **{package: version(package) for package in packages},
    }


def stream(rounds: int) -> dict[str, object]:
    """The way through Kafka: measured and printed."""
    with tempfile.TemporaryDirectory() as folder, kafka_service.running(Path(folder)) as kafka:
        bench, ratios = run(kafka, rounds)
    print()
    for ratio in ratios:
        print(told(ratio))
    measured = {name: [asdict(m) for m in all_] for name, all_ in bench.measured.items()}
    return {"measured": measured, "ratios": [asdict(ratio) for ratio in ratios]}


def reading(rounds: int, plot: Path | None) -> dict[str, object]:
    """Writing in pictures: measured, printed and drawn."""
    from benchmarks.ocr.measure import measure
    from benchmarks.ocr.plot import plot as draw

    curves, ratios = measure(rounds, lambda line: print(line, flush=True))
    for ratio in ratios:
        print(told(ratio))
    if plot:
        draw(curves, plot)
    return {"ocr": [asdict(curve) for curve in curves], "ocr_ratios": [asdict(ratio) for ratio in ratios]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run (default 3)")
    parser.add_argument(
        "--only",
        choices=PARTS,
        help="the way through Kafka, the model families, pictures, OCR, or isolation",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the OCR curve there: .svg or .png")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    given = parser.parse_args()
    found: dict[str, object] = {"machine": machine()}
    parts = [given.only] if given.only else PARTS
    if "stream" in parts:
        found |= stream(given.rounds)
    if "families" in parts:
        speeds = families.measure(given.rounds, lambda speed: print(families.told(speed), flush=True))
        found["families"] = [asdict(speed) for speed in speeds]
    if "vision" in parts:
        ratios = goals.measure(given.rounds, lambda ratio: print(told(ratio), flush=True))
        found["vision"] = [asdict(ratio) for ratio in ratios]
    if "ocr" in parts:
        found |= reading(given.rounds, given.plot)
    if "isolation" in parts:
        ratios = isolation.measure(given.rounds, lambda line: print(line, flush=True))
        print("\n".join(told(ratio) for ratio in ratios))
        found["isolation"] = [asdict(ratio) for ratio in ratios]
    print("; ".join(f"{name} {value}" for name, value in machine().items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
