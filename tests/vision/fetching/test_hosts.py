"""How often a host is asked, by a clock that only the test moves."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from streamproc.errors import FetchFailed
from streamproc.vision.fetching.hosts import LONGEST_REST_S, SILENCES, SILENT_REST_S, Hosts


class Time:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def make_hosts(time: Time, *, at_once: int = 4, per_second: float = 4.0, max_hosts: int = 100) -> Hosts:
    return Hosts(at_once, per_second, max_hosts=max_hosts, clock=time, sleep=time.sleep)


async def ask(hosts: Hosts, name: str, time: Time) -> float:
    async with hosts.turn(name):
        return time.now


async def test_a_host_is_asked_at_even_distances_and_others_meanwhile(time: Time) -> None:
    hosts = make_hosts(time)
    assert [await ask(hosts, "a", time) for _ in range(4)] == [1000, 1000.25, 1000.5, 1000.75]
    assert await ask(hosts, "b", time) == 1000.75


async def test_time_that_nobody_used_is_not_made_up_for(time: Time) -> None:
    hosts = make_hosts(time)
    await ask(hosts, "a", time)
    time.now = 2000.0
    assert [await ask(hosts, "a", time) for _ in range(3)] == [2000, 2000.25, 2000.5]


async def test_a_host_that_wants_to_be_left_alone_is_not_asked_until_then(time: Time) -> None:
    hosts = make_hosts(time)
    assert hosts.rest("a", 30) == 30
    with pytest.raises(FetchFailed, match=r"^a is left alone for 30 s$") as failed:
        await ask(hosts, "a", time)
    assert failed.value.retry_after_s == 30
    assert await ask(hosts, "b", time) == 1000
    time.now += 29.5
    with pytest.raises(FetchFailed, match="for 1 s"):
        await ask(hosts, "a", time)
    time.now += 0.5
    assert await ask(hosts, "a", time) == 1030


async def test_who_already_waits_for_a_turn_leaves_the_host_alone_too(time: Time) -> None:
    hosts = make_hosts(time, at_once=1)
    async with hosts.turn("a"):
        waiting = asyncio.create_task(ask(hosts, "a", time))
        await asyncio.sleep(0)
        hosts.rest("a", 10)
    with pytest.raises(FetchFailed, match="left alone"):
        await waiting


async def test_nobody_is_left_alone_for_longer_than_an_hour(time: Time) -> None:
    hosts = make_hosts(time)
    assert hosts.rest("a", 1e12) == LONGEST_REST_S == 3600
    time.now += 3600
    assert await ask(hosts, "a", time) == 4600


async def test_what_is_remembered_of_hosts_is_bounded(time: Time) -> None:
    hosts = make_hosts(time, per_second=0.001, max_hosts=10)
    for number in range(1000):
        await ask(hosts, f"{number}", time)
        hosts.rest(f"{number}", 60)
    assert len(hosts) <= 11
    with pytest.raises(FetchFailed):
        await ask(hosts, "999", time)


async def test_hosts_that_may_be_asked_at_any_time_are_forgotten(time: Time) -> None:
    hosts = make_hosts(time)
    for number in range(50):
        await ask(hosts, f"{number}", time)
        time.now += 1
    assert len(hosts) == 1


async def test_a_host_that_is_being_asked_is_not_forgotten(time: Time) -> None:
    hosts = make_hosts(time, at_once=1, max_hosts=2)
    async with hosts.turn("a"):
        for number in range(20):
            time.now += 10
            await ask(hosts, f"{number}", time)
        second = asyncio.create_task(ask(hosts, "a", time))
        await asyncio.sleep(0)
        assert not second.done(), "the first still has its turn"
    assert await second >= 1200


async def test_a_turn_is_given_back_by_who_fails_or_leaves(time: Time) -> None:
    hosts = make_hosts(time, at_once=1)
    with pytest.raises(ValueError, match="mine"):
        async with hosts.turn("a"):
            raise ValueError("mine")
    async with hosts.turn("a"):
        leaving = asyncio.create_task(ask(hosts, "a", time))
        await asyncio.sleep(0)
        leaving.cancel()
    assert await asyncio.wait_for(ask(hosts, "a", time), 5) >= 1000


async def test_a_host_that_is_silent_again_and_again_is_left_alone_for_a_while(time: Time) -> None:
    hosts = make_hosts(time)
    async with hosts.turn("a"):
        for _ in range(SILENCES - 1):
            hosts.silent("a")
        hosts.answered("a")
        for _ in range(SILENCES - 1):
            hosts.silent("a")
    async with hosts.turn("a"):
        hosts.silent("a")
    with pytest.raises(FetchFailed, match=r"a is left alone for 30 s"):
        async with hosts.turn("a"):
            pass
    async with hosts.turn("b"):
        pass
    time.now += SILENT_REST_S
    async with hosts.turn("a"):
        pass


async def test_who_leaves_while_waiting_gives_the_turn_back() -> None:
    hosts = Hosts(4, 0.001)
    async with hosts.turn("a"):
        pass
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001), hosts.turn("a"):
                raise AssertionError
    assert hosts._hosts["a"].next_at < monotonic() + 1001
