"""Work that many ask for at once is done once, whoever of them goes away."""

from __future__ import annotations

import asyncio

import pytest

from streamproc.vision.flights import SingleFlight


class _Work:
    def __init__(self) -> None:
        self.started = 0
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.finish = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        self.begun.set()
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def test_all_who_ask_meanwhile_get_the_one_result() -> None:
    flights, work = SingleFlight(), _Work()
    asking = [asyncio.create_task(flights.run("key", work)) for _ in range(100)]
    await work.begun.wait()
    assert "key" in flights
    work.finish.set()
    assert await asyncio.gather(*asking) == [1] * 100
    assert "key" not in flights
    assert await flights.run("key", work) == 2


async def test_keys_fly_apart() -> None:
    flights, one, other = SingleFlight(), _Work(), _Work()
    one.finish.set()
    other.finish.set()
    await asyncio.gather(flights.run("one", one), flights.run("other", other))
    assert (one.started, other.started) == (1, 1)


async def test_the_first_who_goes_leaves_the_work_to_the_others() -> None:
    flights, work = SingleFlight(), _Work()
    first = asyncio.create_task(flights.run("key", work))
    await work.begun.wait()
    second = asyncio.create_task(flights.run("key", work))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.finish.set()
    assert await second == 1
    assert work.cancelled == 0


async def test_the_last_who_goes_ends_the_work_and_a_newcomer_starts_anew() -> None:
    flights, work = SingleFlight(), _Work()
    asking = [asyncio.create_task(flights.run("key", work)) for _ in range(2)]
    await work.begun.wait()
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    assert "key" not in flights
    work.finish.set()
    assert await flights.run("key", work) == 2
    assert work.cancelled == 1


async def test_an_error_reaches_all_and_is_not_remembered() -> None:
    flights = SingleFlight()
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    results = await asyncio.gather(*(flights.run("key", fail) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    assert calls == 1
    with pytest.raises(ValueError, match="no"):
        await flights.run("key", fail)
    assert calls == 2


async def test_close_ends_what_is_under_way() -> None:
    flights, work = SingleFlight(), _Work()
    asking = asyncio.create_task(flights.run("key", work))
    await work.begun.wait()
    await flights.close()
    assert work.cancelled == 1
    with pytest.raises(asyncio.CancelledError):
        await asking
