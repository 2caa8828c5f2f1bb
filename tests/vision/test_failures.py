"""A failure says what kind and why."""

from __future__ import annotations

from streamproc.errors import FetchFailed
from streamproc.vision.failures import Failure


def test_a_failure_says_what_kind_and_why_in_bounded_length() -> None:
    assert Failure.of(FetchFailed("pictures.example answered 404")).reason == (
        "fetch failed: pictures.example answered 404"
    )
    assert len(Failure.of(FetchFailed("x" * 1000)).reason) == 200
