"""Runs measured workers in turn against topics of one broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks import topics
from benchmarks.measuring import Measured, run_worker
from tests.services.kafka import Kafka

PARTITIONS: Final = 4


class Bench:
    """One broker, and what was measured on it.

    Args:
        kafka: the broker.
        rounds: how often each candidate is run.
        python: the interpreter of the comparison with the peers.
    """

    def __init__(self, kafka: Kafka, rounds: int, python: str) -> None:
        self.kafka = kafka
        self.rounds = rounds
        self.python = python
        self._run = 0
        self.measured: dict[str, list[Measured]] = {}

    def fill(self, topic: str, posts: int, *, bad_every: int = 0) -> str:
        """A topic of four partitions that holds so many posts; its name."""
        self.kafka.create_topic(topic, PARTITIONS)
        topics.fill(self.kafka.bootstrap, topic, posts, bad_every=bad_every)
        return topic

    def alternate(self, candidates: dict[str, Callable[[], Measured]]) -> None:
        """Each candidate in turn, for all rounds, so that noise of the machine meets all of them.

        One run before them does not count: a broker that has just started takes its time.
        """
        next(iter(candidates.values()))()
        for number in range(1, self.rounds + 1):
            for name, run in candidates.items():
                measured = run()
                self.measured.setdefault(name, []).append(measured)
                print(
                    f"round {number}: {name:28} {measured.rate:9.0f} posts/s "
                    f"{measured.cpu_us:9.1f} CPU µs a post",
                    flush=True,
                )

    def settings(self, source: str, target: str, dead: str, plugin: str) -> list[str]:
        """Of our worker with a plugin, text only; all else as it is by default."""
        return [
            f"kafka.broker={self.kafka.bootstrap}", f"kafka.group={target}", f"topics.posts={source}",
            f"topics.entities={target}", f"topics.deadletters={dead}",
            "plugins.noop.plugin=benchmarks.plugins:NoopPlugin",
            f'routes=[{{primary="{plugin}", look="never"}}]',
        ]  # fmt: skip

    def ours(self, source: str, posts: int, plugin: str, python: str) -> Measured:
        """Our worker over a topic that is full."""
        settings = self.settings(source, *self.targets(), plugin)
        return run_worker("benchmarks.worker_ours", str(posts), *settings, python=python)

    def other(self, module: str, source: str, posts: int, python: str) -> Measured:
        """Another worker over the same posts."""
        target, _ = self.targets()
        return run_worker(module, str(posts), self.kafka.bootstrap, source, target, python=python)

    def targets(self) -> tuple[str, str]:
        """Two empty topics: for tagged posts, for dead letters."""
        self._run += 1
        names = f"out{self._run}", f"dead{self._run}"
        for name in names:
            self.kafka.create_topic(name, PARTITIONS)
        return names

    def ratio(self, figure: Callable[[Measured], float], ours: str, other: str) -> list[float]:
        """Ours ÷ other in each round."""
        pairs = zip(self.measured[ours], self.measured[other], strict=True)
        return [figure(a) / figure(b) for a, b in pairs]
