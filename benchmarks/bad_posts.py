"""One post in a hundred makes the tagger raise: what becomes of all the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.peers import Peer
from benchmarks.processes import our_worker, started
from benchmarks.running import Bench
from benchmarks.topics import read_all, wait_for_records

POSTS: Final = 5_000
BAD_EVERY: Final = 100
SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Survival:
    """What a worker made of the topic within half a minute.

    Attributes:
        name: which worker.
        delivered: distinct good posts that were published.
        good: how many there were.
        dead: bad posts that are kept in a topic of dead letters.
        bad: how many there were.
        ended: the exit status of a worker that ended by itself; `None` where it went on.
        words: the last line that it wrote.
    """

    name: str
    delivered: int
    good: int
    dead: int
    bad: int
    ended: int | None
    words: str


def measure(bench: Bench, peers: Sequence[Peer]) -> list[Survival]:
    """Our worker's command and each peer, once."""
    source = bench.fill("bad", POSTS, bad_every=BAD_EVERY)
    target, dead = bench.targets()
    ours = our_worker(bench.settings(source, target, dead, "noop"), bench.python)
    found = [_survival(bench, "ours", target, dead, *ours)]
    for peer in peers:
        target, dead = bench.targets()
        arguments = [str(POSTS), bench.kafka.bootstrap, source, target]
        found.append(_survival(bench, peer.name, target, dead, bench.python, peer.module, arguments))
    return found


def _survival(
    bench: Bench, name: str, target: str, dead: str, python: str, module: str, arguments: list[str]
) -> Survival:
    bootstrap, bad = bench.kafka.bootstrap, POSTS // BAD_EVERY
    with started(python, module, arguments) as worker:
        # Dead letters come last: a bad post is told apart from its batch first.
        held = wait_for_records(
            bootstrap, target, POSTS - bad, SECONDS, given_up=lambda: worker.ended is not None
        )
        asyncio.run(held)
        asyncio.run(wait_for_records(bootstrap, dead, bad, 2.0, given_up=lambda: worker.ended is not None))
        ended, words = worker.ended, worker.last_words
    delivered = {key for key, _ in asyncio.run(read_all(bootstrap, target))}
    letters = {key for key, _ in asyncio.run(read_all(bootstrap, dead))}
    return Survival(name, len(delivered), POSTS - bad, len(letters), bad, ended, words if ended else "")


def told(found: Survival) -> str:
    """One line."""
    fate = "goes on" if found.ended is None else f"ended with status {found.ended}: {found.words[:80]}"
    return (
        f"{found.name:20} {found.delivered:5} of {found.good} good posts delivered, "
        f"{found.dead:3} of {found.bad} bad ones kept; {fate}"
    )
