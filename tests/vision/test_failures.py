"""A failure is remembered for its time, and the memory is bounded."""

from __future__ import annotations

from streamproc.errors import FetchFailed
from streamproc.vision.failures import Failure, RecentFailures


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_is_remembered_until_its_time_is_over() -> None:
    clock = _Clock()
    failures = RecentFailures(60, clock=clock)
    failures.add("a", Failure("one"))
    clock.now += 59
    assert failures.get("a") == Failure("one")
    clock.now += 1
    assert failures.get("a") is None
    assert failures.get("never failed") is None


def test_a_failure_that_comes_again_is_remembered_anew() -> None:
    clock = _Clock()
    failures = RecentFailures(60, clock=clock)
    failures.add("a", Failure("one"))
    failures.add("b", Failure("two"))
    clock.now += 50
    failures.add("a", Failure("three"))
    clock.now += 20
    failures.add("c", Failure("four"))
    assert failures.get("a") == Failure("three")
    assert failures.get("b") is None


def test_the_oldest_goes_when_there_are_too_many() -> None:
    failures = RecentFailures(60, max_entries=2, clock=_Clock())
    for key in "abc":
        failures.add(key, Failure(key))
    assert [failures.get(key) is not None for key in "abc"] == [False, True, True]


def test_a_failure_says_what_kind_and_why_in_bounded_length() -> None:
    assert Failure.of(FetchFailed("pictures.example answered 404")).reason == (
        "fetch failed: pictures.example answered 404"
    )
    assert len(Failure.of(FetchFailed("x" * 1000)).reason) == 200
