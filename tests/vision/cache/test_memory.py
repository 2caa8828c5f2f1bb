"""A store in this process is bounded in bytes and in time."""

from __future__ import annotations

from streamproc.vision.cache import MemoryStore


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_the_least_recently_used_goes_when_it_is_full() -> None:
    store = MemoryStore(2500)
    for key in "ab":
        await store.put(key, bytes(1000), 60)
    await store.get(["a"])
    await store.put("c", bytes(1000), 60)
    assert [data is not None for data in await store.get(["a", "b", "c"])] == [True, False, True]


async def test_a_replaced_value_counts_once() -> None:
    store = MemoryStore(2500)
    for _ in range(10):
        await store.put("a", bytes(1000), 60)
    await store.put("b", bytes(1000), 60)
    assert all(data is not None for data in await store.get(["a", "b"]))


async def test_what_can_never_fit_pushes_nothing_out() -> None:
    store = MemoryStore(1500)
    await store.put("small", b"1", 60)
    await store.put("huge", bytes(10_000), 60)
    assert await store.get(["small", "huge"]) == [b"1", None]
    assert store.counts.too_large == 1


async def test_a_value_that_became_too_large_is_not_known_as_it_was() -> None:
    store = MemoryStore(1500)
    await store.put("a", b"old", 60)
    await store.put("a", bytes(10_000), 60)
    assert await store.get(["a"]) == [None]


async def test_everything_ends_with_its_time() -> None:
    clock = _Clock()
    store = MemoryStore(10_000, clock=clock)
    await store.put("short", b"1", 10)
    await store.put("long", b"2", 20)
    clock.now += 9.9
    assert await store.get(["short", "long"]) == [b"1", b"2"]
    clock.now += 0.1
    assert await store.get(["short", "long"]) == [None, b"2"]
    await store.put("long", b"3", 20)
    clock.now += 19
    assert await store.get(["long"]) == [b"3"]
