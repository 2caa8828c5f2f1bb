"""Intervals and tests against enumeration, plain loops and scipy."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from streamproc_mner.evaluation.significance import (
    bootstrap_interval,
    counts_of,
    f1_of,
    mcnemar,
    paired_bootstrap,
    paired_t_test,
)
from streamproc_mner.evaluation.spans import JudgedPost, Score, total
from streamproc_mner.labels import Span

FIRST = [(2, 2, 1), (1, 2, 0), (3, 2, 2), (0, 1, 0)]
SECOND = [(2, 2, 2), (1, 1, 1), (3, 3, 1), (0, 0, 0)]


def f1(rows: Sequence[tuple[int, int, int]]) -> float:
    """In plain loops."""
    gold = predicted = correct = 0
    for row in rows:
        gold, predicted, correct = gold + row[0], predicted + row[1], correct + row[2]
    return 2 * correct / (gold + predicted) if gold + predicted else 0.0


def all_draws(*models: Sequence[tuple[int, int, int]]) -> list[list[float]]:
    """F1 of each model in each of the n^n draws of n posts."""
    posts = range(len(models[0]))
    drawn = itertools.product(posts, repeat=len(posts))
    return [[f1([model[index] for index in draw]) for model in models] for draw in drawn]


def test_the_f1_of_counts_is_that_of_the_score() -> None:
    for rows in ([(2, 1, 1)], FIRST, SECOND, [(0, 0, 0)], [(0, 2, 0)]):
        assert f1_of(np.array(rows).sum(axis=0)) == pytest.approx(total(Score(*row) for row in rows).f1)


def test_a_posts_counts_hold_its_strays_as_predicted() -> None:
    per, loc = Span(0, 1, "PER"), Span(2, 3, "LOC")
    judged = [
        JudgedPost(frozenset({per}), frozenset({per, loc}), (loc, loc)),
        JudgedPost(frozenset(), frozenset()),
    ]
    assert counts_of(judged).tolist() == [[1, 4, 1], [0, 0, 0]]
    assert counts_of([]).shape == (0, 3)


def test_the_interval_is_that_of_all_possible_draws() -> None:
    found = bootstrap_interval(np.array(FIRST), resamples=20_000)
    exact = np.quantile([draw[0] for draw in all_draws(FIRST)], [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(exact.tolist(), abs=0.01)


def test_the_interval_of_several_seeds_is_that_of_their_mean_over_the_same_posts() -> None:
    found = bootstrap_interval(np.array([FIRST, SECOND]), resamples=20_000)
    means = [statistics.mean(draw) for draw in all_draws(FIRST, SECOND)]
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=0.01)


def test_a_difference_is_taken_over_the_same_posts_of_both() -> None:
    found = paired_bootstrap(np.array(FIRST), np.array(SECOND), resamples=20_000)
    differences = [second - first for first, second in all_draws(FIRST, SECOND)]
    exact = np.quantile(differences, [0.025, 0.975])
    at_most = sum(difference <= 0 for difference in differences) / len(differences)
    at_least = sum(difference >= 0 for difference in differences) / len(differences)
    assert found.value == pytest.approx(f1(SECOND) - f1(FIRST))
    assert (found.interval.low, found.interval.high) == pytest.approx(exact.tolist(), abs=0.01)
    assert found.p == pytest.approx(2 * min(at_most, at_least), abs=0.01)
    back = paired_bootstrap(np.array(SECOND), np.array(FIRST), resamples=20_000)
    assert (back.value, back.p) == (-found.value, found.p)


def test_a_model_does_not_differ_from_itself_and_one_that_is_always_better_does() -> None:
    rows = np.array(FIRST * 10)
    same = paired_bootstrap(rows, rows)
    assert (same.value, same.interval.low, same.interval.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    better = np.array([(gold, gold, gold) for gold, _, _ in FIRST * 10])
    found = paired_bootstrap(rows, better, resamples=1999)
    assert found.interval.low > 0
    assert found.p == pytest.approx(2 / 2000), "no p of zero from a finite number of draws"


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    rows = np.array(FIRST * 30)
    assert bootstrap_interval(rows, 200, seed=3) == bootstrap_interval(rows, 200, seed=3)
    assert bootstrap_interval(rows, 200, seed=3) != bootstrap_interval(rows, 200, seed=4)


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (5, 5), (1, 0), (8, 1), (12, 13), (25, 0)])
def test_few_discordant_entities_are_tested_exactly(fixed: int, broken: int) -> None:
    expected = stats.binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected)
    assert mcnemar(broken, fixed) == mcnemar(fixed, broken)


@pytest.mark.parametrize(("fixed", "broken"), [(20, 6), (40, 40), (13, 14), (300, 240)])
def test_many_discordant_entities_are_tested_by_chi_squared(fixed: int, broken: int) -> None:
    statistic = max(0, abs(fixed - broken) - 1) ** 2 / (fixed + broken)
    assert mcnemar(fixed, broken) == pytest.approx(stats.chi2.sf(statistic, df=1))


def test_the_exact_test_and_chi_squared_meet() -> None:
    for broken in range(13):
        assert mcnemar(26 - broken, broken) == pytest.approx(
            stats.binomtest(broken, 26).pvalue, abs=0.02
        ), broken


def test_a_t_test_pairs_the_seeds() -> None:
    first, second = [0.80, 0.82, 0.79, 0.81], [0.81, 0.84, 0.80, 0.815]
    differences = [b - a for a, b in zip(first, second, strict=True)]
    mean = sum(differences) / 4
    deviation = math.sqrt(sum((one - mean) ** 2 for one in differences) / 3)
    statistic = mean / (deviation / math.sqrt(4))
    assert paired_t_test(first, second) == pytest.approx(2 * stats.t.sf(statistic, df=3))


@pytest.mark.parametrize(
    ("first", "second"), [([0.8], [0.9]), ([0.8, 0.7], [0.8, 0.7]), ([0.8, 0.7], [0.9, 0.8])]
)
def test_a_t_test_that_cannot_tell_says_so(first: list[float], second: list[float]) -> None:
    assert paired_t_test(first, second) is None
