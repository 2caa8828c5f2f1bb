"""The curves of when to look, against plain loops over thresholds and over all choices of pictures."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc_mner.analysis.look_curves import chance, fewest, oracle, oracle_reach, sweep
from streamproc_mner.analysis.looking import Looks


def _looks(seed: int, pictures: int, blind: int = 2, levels: int = 6) -> Looks:
    """Posts with counts drawn by chance, several of them equally uncertain, some without a picture."""
    source = random.Random(seed)

    def counts(gold: int) -> tuple[int, int, int]:
        predicted = source.randint(0, 3)
        return gold, predicted, source.randint(0, min(gold, predicted))

    gold = [source.randint(0, 3) for _ in range(pictures + blind)]
    pictured = sorted(source.sample(range(len(gold)), pictures))
    return Looks(
        np.array([counts(g) for g in gold], np.int64),
        np.array([counts(gold[index]) for index in pictured], np.int64).reshape(-1, 3),
        np.array(pictured, np.int64),
        np.array([source.randint(0, levels) / 10 for _ in pictured], np.float64),
    )


def _f1(looks: Looks, looked: Iterable[int]) -> float:
    """In percent, with these of the pictures looked at; counted post by post."""
    seen = {int(looks.pictured[place]): place for place in looked}
    gold = predicted = correct = 0
    for post, before in enumerate(looks.without.tolist()):
        row = looks.after[seen[post]].tolist() if post in seen else before
        gold, predicted, correct = gold + row[0], predicted + row[1], correct + row[2]
    return 200 * correct / (gold + predicted) if gold + predicted else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_the_sweep_is_f1_and_looks_of_every_threshold(seed: int, pictures: int) -> None:
    looks = _looks(seed, pictures)
    found = sweep(looks)
    told = {}
    for threshold, count, f1 in zip(found.thresholds, found.looks, found.f1, strict=True):
        looked = [place for place, doubt in enumerate(looks.uncertainty) if doubt > threshold]
        assert len(looked) == count
        assert f1 == pytest.approx(_f1(looks, looked))
        told[frozenset(looked)] = threshold
    # Every set of pictures that any threshold from 0 to 1 gives is among them, each once.
    every = {
        frozenset(place for place, doubt in enumerate(looks.uncertainty) if doubt > step / 1000)
        for step in range(1001)
    }
    assert set(told) == every
    assert len(told) == len(found.thresholds)
    assert found.looks.tolist() == sorted(found.looks.tolist())


def test_thresholds_lie_between_posts_and_are_short() -> None:
    looks = Looks(
        np.tile(np.array([[1, 1, 0]], np.int64), (3, 1)),
        np.tile(np.array([[1, 1, 1]], np.int64), (3, 1)),
        np.arange(3),
        np.array([0.912345678, 0.3, 0.30001]),
    )
    assert sweep(looks).thresholds.tolist() == [0.91235, 0.61, 0.3, 0.0]


@pytest.mark.parametrize("seed", range(4))
def test_chance_is_the_mean_over_all_choices_of_as_many_pictures(seed: int) -> None:
    looks = _looks(seed, 5)
    mean, low, high = chance(looks, np.arange(6), seed=1)
    for count in range(6):
        choices = [_f1(looks, chosen) for chosen in itertools.combinations(range(5), count)]
        spread = max(choices) - min(choices)
        assert mean[count] == pytest.approx(np.mean(choices), abs=1e-9 + 0.12 * spread)
        assert min(choices) - 1e-9 <= low[count] <= high[count] <= max(choices) + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_the_oracle_is_the_best_of_all_choices_of_up_to_so_many_pictures(seed: int, pictures: int) -> None:
    looks = _looks(seed, pictures)
    best = -1.0
    found = oracle(looks, np.arange(pictures + 1))
    for count in range(pictures + 1):
        best = max(best, *(_f1(looks, chosen) for chosen in itertools.combinations(range(pictures), count)))
        assert found[count] == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_the_oracle_reaches_what_always_has_with_the_fewest_looks_that_do(seed: int) -> None:
    looks = _looks(seed, 7)
    wanted = _f1(looks, range(7))
    found = oracle_reach(looks, wanted)
    curve = oracle(looks, np.arange(8))
    assert curve[found] >= wanted - 1e-9
    assert not found or curve[found - 1] < wanted - 1e-9


def _answers(right: list[tuple[bool, bool, float]]) -> Looks:
    """Posts of one entity: whether it is right without a look, and after one; and the uncertainty."""
    return Looks(
        np.array([(1, 1, before) for before, _, _ in right], np.int64),
        np.array([(1, 1, after) for _, after, _ in right], np.int64),
        np.arange(len(right)),
        np.array([doubt for _, _, doubt in right]),
    )


def test_the_fewest_looks_that_keep_the_share_are_chosen() -> None:
    # Looking helps the three most uncertain posts of ten, and only them.
    helped = [(False, True, 0.9), (False, True, 0.8), (False, True, 0.7)]
    looks = _answers([*helped, *((True, True, 0.6 - index / 100) for index in range(7))])
    found = sweep(looks)
    point = fewest(found, 100.0)
    assert point is not None
    assert (found.looks[point], found.f1[point]) == (3, pytest.approx(100.0))
    two_thirds = fewest(found, 100.0, share=2 / 3)
    assert two_thirds is not None
    assert found.looks[two_thirds] == 2


@pytest.mark.parametrize("after", [[False, True], [False, True, True]])
def test_without_a_gain_there_is_nothing_to_choose(after: list[bool]) -> None:
    looks = _answers([(True, now, 0.5) for now in after])
    assert fewest(sweep(looks), _f1(looks, range(len(after)))) is None


def test_posts_without_any_uncertainty_are_out_of_every_thresholds_reach() -> None:
    looks = _answers([(False, True, 0.5), (False, True, 0.0), (False, True, 0.0)])
    found = sweep(looks)
    point = fewest(found, _f1(looks, range(3)))
    assert point is not None
    assert (found.looks[point], found.looks.max()) == (1, 1)
