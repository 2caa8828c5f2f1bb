"""When a model is left alone, and when it is asked again."""

from __future__ import annotations

import pytest

from streamproc.vision.triton.breaker import Breaker
from streamproc.vision.triton.errors import Kind, explain


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 5.0, clock=clock)


def open_it(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.failed("away")


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not(breaker: Breaker) -> None:
    for _ in range(10):
        breaker.failed("away")
        breaker.failed("away")
        assert breaker.refusal is None
        breaker.answered()
    open_it(breaker)
    assert breaker.refusal == "away"
    assert not breaker.half_open


def test_one_failure_that_is_sure_opens_it(breaker: Breaker) -> None:
    breaker.failed("no such model", for_sure=True)
    assert breaker.refusal == "no such model"


def test_after_the_pause_one_probes_while_the_others_are_refused(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 4.9
    assert breaker.refusal == "away"
    clock.now = 5.0
    assert breaker.refusal is None
    assert breaker.half_open
    with breaker.probe():
        assert breaker.refusal == "away"
        assert not breaker.half_open
        breaker.answered()
    assert breaker.refusal is None
    assert not breaker.half_open


def test_a_probe_that_fails_opens_it_for_another_pause(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 6.0
    with breaker.probe():
        breaker.failed("still away")
    assert breaker.refusal == "still away"
    clock.now = 10.9
    assert breaker.refusal == "still away"
    clock.now = 11.0
    assert breaker.half_open


def test_a_probe_that_is_given_up_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 6.0
    with pytest.raises(KeyboardInterrupt), breaker.probe():
        raise KeyboardInterrupt
    assert breaker.half_open


def test_after_it_closed_it_takes_as_many_failures_to_open_again(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 6.0
    breaker.answered()
    breaker.failed("away")
    breaker.failed("away")
    assert breaker.refusal is None
    breaker.failed("away again")
    assert breaker.refusal == "away again"


REFUSED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:8001: "
    "Failed to connect to remote host: connect: Connection refused (111)"
)


@pytest.mark.parametrize(
    ("status", "message", "kind", "retry", "reason"),
    [
        ("UNAVAILABLE", REFUSED, Kind.AWAY, "anywhere", "the server is away (Connection refused (111))"),
        (
            "UNAVAILABLE",
            "[request id: 1] Exceeds maximum queue size",
            Kind.BUSY,
            "anywhere",
            "queue of ocr",
        ),
        ("UNAVAILABLE", "Request timeout expired", Kind.BUSY, "anywhere", "waited too long in the queue"),
        ("RESOURCE_EXHAUSTED", "no memory", Kind.BUSY, "anywhere", "ocr has no room: no memory"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", Kind.SLOW, "nowhere", "ocr gave no answer within 20 s"),
        ("NOT_FOUND", "Request for unknown model", Kind.ABSENT, "elsewhere", "no model ocr is ready there"),
        (
            "INTERNAL",
            "Stub process 'ocr_0_0' is not healthy.",
            Kind.DEAD,
            "elsewhere",
            "died",
        ),
        ("INTERNAL", "ocr failed: ValueError", Kind.PICTURE, "nowhere", "ocr failed: ValueError"),
        ("INVALID_ARGUMENT", "expected a JPEG\nAt: x", Kind.PICTURE, "nowhere", "expected a JPEG"),
        ("UNIMPLEMENTED", "", Kind.AWAY, "nowhere", "unimplemented: no reason given"),
        (None, None, Kind.PICTURE, "nowhere", "no reason given"),
    ],
)
def test_every_error_says_what_it_means_for_the_server(
    status: str | None, message: str | None, kind: Kind, retry: str, reason: str
) -> None:
    failing = explain(status and f"StatusCode.{status}", message, "ocr", 20.0)
    assert (failing.kind, failing.retry) == (kind, retry)
    assert reason in failing.reason
    assert "\n" not in failing.reason
