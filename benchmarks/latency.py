"""Latency under load: posts come at a fixed rate, whether or not the worker keeps up.

A post's time is the moment at which it was due, so a slow worker cannot slow down the clock that
measures it. Its latency ends at the timestamp of its record in `entities`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import time
from typing import Final, NamedTuple
from uuid import uuid4

from benchmarks.posts import make_posts
from benchmarks.processes import our_worker, started
from benchmarks.ratios import Ratio
from benchmarks.running import PARTITIONS, Bench
from benchmarks.stream import MODEL
from benchmarks.topics import read_all, wait_for_records
from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from streamproc.settings import Batching

SHARE: Final = 0.7
"""Of what the worker delivers while more is sent than it can take: sender and broker work beside it."""
TOO_MUCH: Final = 1.3
"""Of what it takes from a topic that is full."""
SECONDS: Final = 20.0
WARM_UP_S: Final = 5.0
"""Posts of the first seconds are not counted: the model warms up."""
WARMING: Final = 64
"""Posts before the clock starts, so that the worker has its partitions."""
GOAL: Final = 3.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the moment that a post was due to its entities message, at so many posts/s."""

    rate: float
    posts: int
    p50: float
    p99: float
    allowed: float


def quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that so large a share of them does not exceed (nearest rank)."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def measure(bench: Bench, full: float, offline: float) -> tuple[list[Latency], Ratio]:
    """Latency of our worker with the default model, in each round.

    Args:
        bench: where.
        full: posts/s of our worker over a topic that is full.
        offline: posts/s of the model alone, in batches of 64.
    """
    limits = Batching()
    allowed = limits.wait_ms + limits.posts / offline * 1000
    latencies = []
    for _ in range(bench.rounds):
        rate = SHARE * _delivered(asyncio.run(_send_and_read(bench, TOO_MUCH * full)))
        found = [sent.latency for sent in _counted(asyncio.run(_send_and_read(bench, rate)))]
        latencies.append(Latency(rate, len(found), quantile(found, 0.5), quantile(found, 0.99), allowed))
        print(told(latencies[-1]), flush=True)
    what = "p99 at 70 % of capacity ÷ (wait + a batch)"
    return latencies, Ratio.at_most(what, GOAL, [latency.p99 / allowed for latency in latencies])


class Sent(NamedTuple):
    """When a post was due, and when its entities message was written: milliseconds since 1970."""

    due: float
    written: float

    @property
    def latency(self) -> float:
        """Milliseconds."""
        return self.written - self.due


def _warm(sent: Sequence[Sent]) -> float:
    """From when on it counts: milliseconds since 1970."""
    return min(one.due for one in sent) + WARM_UP_S * 1000


def _counted(sent: Sequence[Sent]) -> list[Sent]:
    """Without those of the first seconds."""
    begin = _warm(sent)
    return [one for one in sent if one.due >= begin]


def _delivered(sent: Sequence[Sent]) -> float:
    """Posts/s that were written while posts were sent, without the first seconds."""
    begin = _warm(sent)
    return sum(begin <= one.written < begin + SECONDS * 1000 for one in sent) / SECONDS


async def _send_and_read(bench: Bench, rate: float) -> list[Sent]:
    """Send to a worker of its own at this rate, until it has tagged everything."""
    bootstrap = bench.kafka.bootstrap
    mark = uuid4().hex
    names = [await bench.kafka.create(f"{part}-{mark}", PARTITIONS) for part in ("in", "out", "dead")]
    source, target, dead = names
    posts = make_posts(WARMING + int(rate * (WARM_UP_S + SECONDS)), seed=2)
    with started(*our_worker(bench.settings(source, target, dead, MODEL))):
        async with BatchProducer(Link(bootstrap)) as producer:
            await producer.send([Outgoing(source, *post) for post in posts[:WARMING]])
            await wait_for_records(bootstrap, target, WARMING, 60)
            due = await _send_at(producer, source, posts[WARMING:], rate)
        await wait_for_records(bootstrap, target, len(posts), 60)
    return [Sent(due[key], at) for key, at in await read_all(bootstrap, target) if key in due]


async def _send_at(
    producer: BatchProducer, topic: str, posts: Sequence[tuple[bytes, bytes]], rate: float
) -> dict[bytes, float]:
    """Send each post when it is due; when that was, by key, in milliseconds since 1970."""
    begin, sent = time() + 0.1, 0
    due = {key: (begin + number / rate) * 1000 for number, (key, _) in enumerate(posts)}
    sending: set[asyncio.Task[None]] = set()
    while sent < len(posts):
        ready = min(len(posts), int((time() - begin) * rate) + 1) if time() >= begin else 0
        if ready > sent:
            messages = [Outgoing(topic, *post, (), int(due[post[0]])) for post in posts[sent:ready]]
            sending.add(asyncio.create_task(producer.send(messages)))
            sent = ready
        # In small groups, as a feed does: one post at a time, the sender and the broker would take what
        # the model needs of two cores.
        await asyncio.sleep(0.01)
    await asyncio.gather(*sending)
    return due


def told(latency: Latency) -> str:
    """One line."""
    return (
        f"latency at {latency.rate:.0f} posts/s, {latency.posts} posts: p50 {latency.p50:.0f} ms, "
        f"p99 {latency.p99:.0f} ms; wait and one batch: {latency.allowed:.0f} ms"
    )
