"""What the watchdog says of a worker, sample by sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from streamproc.health.watchdog import Health, Sample, State, Watchdog

BUSY = Sample(0.0, finished=0, in_flight=5, waiting=100, uncommitted=0, committed=0, assigned=2)


def watched(samples: Iterable[Sample], stuck_s: float = 60, max_pause_s: float = 600) -> list[Health]:
    watchdog = Watchdog(stuck_s, max_pause_s)
    return [watchdog.observe(sample) for sample in samples]


def each(seconds: Iterable[float], sample: Sample, **changes: object) -> list[Sample]:
    return [replace(sample, at=at, **changes) for at in seconds]  # type: ignore[arg-type]


def test_a_worker_that_ends_posts_works() -> None:
    samples = [replace(BUSY, at=10.0 * n, finished=n, committed=n) for n in range(50)]
    assert {health.state for health in watched(samples)} == {State.WORKING}


def test_no_post_ending_for_too_long_is_stuck_and_the_next_one_is_the_end_of_it() -> None:
    states = watched([*each(range(0, 100, 10), BUSY), replace(BUSY, at=100, finished=1)])
    assert [health.state for health in states] == [State.WORKING] * 7 + [State.STUCK] * 3 + [State.WORKING]
    assert states[7].reason == "none of 5 posts in flight has ended for 60 s"
    assert (states[7].for_s, states[9].for_s) == (0.0, 20.0)
    assert not states[7].ready
    assert states[10].ready


def test_posts_that_wait_and_are_not_read_are_stuck_too() -> None:
    *_, last = watched(each((0, 30, 61), BUSY, in_flight=0))
    assert (last.state, last.reason) == (State.STUCK, "none of 100 posts waiting was read for 60 s")


@pytest.mark.parametrize(
    "nothing",
    [{"in_flight": 0, "waiting": 0}, {"in_flight": 0, "assigned": 0, "waiting": None}],
    ids=["an empty topic", "no partitions"],
)
def test_nothing_to_do_is_idle_for_ever(nothing: dict[str, object]) -> None:
    assert {h.state for h in watched(each(range(0, 10_000, 100), BUSY, **nothing))} == {State.IDLE}


def test_work_that_comes_after_a_long_rest_has_its_whole_time() -> None:
    rest = each((0, 1000), BUSY, in_flight=0, waiting=0)
    states = watched([*rest, *each((1010, 1060, 1061), BUSY)])
    assert [health.state for health in states[2:]] == [State.WORKING, State.WORKING, State.STUCK]


def test_a_broker_that_does_not_answer_is_stuck_when_nothing_ends() -> None:
    *_, last = watched(each((0, 61), BUSY, in_flight=0, waiting=None))
    assert last.state is State.STUCK
    assert "Kafka has not said" in last.reason


def test_offsets_that_are_not_confirmed_are_stuck_although_posts_end() -> None:
    samples = [replace(BUSY, at=10.0 * n, finished=n, uncommitted=n) for n in range(8)]
    states = watched(samples)
    assert [health.state for health in states][-2:] == [State.WORKING, State.STUCK]
    assert states[-1].reason == "7 posts ended, and no offset was committed for 60 s"


def test_a_pause_is_not_stuck_until_it_is_too_long_and_time_counts_anew_after_it() -> None:
    paused = each((0, 100, 600), BUSY, paused="Triton is away")
    after = each((610, 670, 671), BUSY)
    states = watched([*paused, *after])
    assert [h.state for h in states] == [State.PAUSED] * 3 + [State.WORKING] * 2 + [State.STUCK]
    assert states[1].reason == "Triton is away"
    *_, long = watched(each((0, 601), BUSY, paused="Triton is away"))
    assert (long.state, long.reason) == (State.STUCK, "paused for more than 600 s: Triton is away")


def test_posts_that_all_others_overtook_are_stuck_although_others_end() -> None:
    samples = [
        replace(BUSY, at=at, finished=at, committed=at, left_behind_s=at)
        for at in map(float, range(0, 700, 50))
    ]
    states = watched(samples)
    assert [health.state for health in states] == [State.WORKING] * 13 + [State.STUCK]
    assert states[-1].reason == "all others overtook posts that are in flight for 600 s"


def test_the_time_of_a_pause_does_not_count_for_posts_that_were_overtaken() -> None:
    paused = replace(BUSY, at=500, finished=1, left_behind_s=500, paused="Triton is away")
    after = [
        replace(BUSY, at=at, finished=at, committed=at, left_behind_s=at) for at in (510, 700, 1100, 1200)
    ]
    states = watched([BUSY, paused, *after])
    assert [health.state for health in states[2:]] == [
        State.WORKING,
        State.WORKING,
        State.WORKING,
        State.STUCK,
    ]


def test_a_second_pause_has_its_whole_time() -> None:
    states = watched(
        [
            *each((0, 500), BUSY, paused="a"),
            replace(BUSY, at=510, finished=1),
            *each((520, 1110), BUSY, paused="b", finished=1),
        ]
    )
    assert [health.state for health in states][-1] is State.PAUSED


def test_a_worker_that_does_not_get_into_the_group_is_starting_then_stuck() -> None:
    states = watched(each((0, 60, 61), BUSY, assigned=None, in_flight=0, waiting=None))
    assert [health.state for health in states] == [State.STARTING, State.STARTING, State.STUCK]
    assert states[-1].reason == "not in the consumer group for 60 s"
