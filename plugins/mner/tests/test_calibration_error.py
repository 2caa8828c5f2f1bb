"""Expected calibration error against plain loops and cases worked by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc_mner.evaluation.calibration_error import reliability


def by_loops(pairs: list[tuple[float, bool]], bins: int) -> float:
    error = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        inside = [pair for pair in pairs if low < pair[0] <= high or (index == 0 and pair[0] == 0)]
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(sure for sure, _ in inside) / len(inside)
            error += len(inside) / len(pairs) * abs(accuracy - confidence)
    return error


def test_a_case_worked_by_hand() -> None:
    # Above 0.8: 0.9 and 0.9, one right: |0.5 - 0.9| = 0.4. Up to 0.2: 0.1, wrong: 0.1.
    found = reliability([(0.9, True), (0.9, False), (0.1, False)], bins=5)
    assert found is not None
    assert found.error == pytest.approx((2 * 0.4 + 1 * 0.1) / 3)
    assert [(one.low, one.high, one.count, one.accuracy) for one in found.bins] == [
        (0.0, 0.2, 1, 0.0),
        (0.8, 1.0, 2, 0.5),
    ]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([1, 5, 10]),
)
def test_agrees_with_plain_loops(pairs: list[tuple[float, bool]], bins: int) -> None:
    found = reliability(pairs, bins)
    assert found is not None
    assert found.error == pytest.approx(by_loops(pairs, bins), abs=1e-9)
    assert sum(one.count for one in found.bins) == found.count == len(pairs)


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    source = random.Random(1)
    pairs = [(sure, source.random() < sure) for sure in (source.random() for _ in range(20_000))]
    found = reliability(pairs)
    overconfident = reliability([(min(1.0, sure + 0.3), right) for sure, right in pairs])
    assert found is not None
    assert overconfident is not None
    assert found.error < 0.02
    assert overconfident.error > 0.2


def test_borders_belong_to_the_bin_below_and_rounding_beyond_one_to_the_last() -> None:
    found = reliability([(0.1, True), (0.1 + 1e-9, True), (1.0000001, True), (-1e-9, False)])
    assert found is not None
    assert [(one.low, one.count) for one in found.bins] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_nothing_predicted_has_no_calibration() -> None:
    assert reliability([]) is None
