"""Temperature: what it changes of a CRF's probabilities and what not, and finding it on held-out posts."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from streamproc.errors import InputError
from streamproc_mner.decoding import CrfScores, Decoder, PadScores, forbid_entities
from streamproc_mner.labels import bio_labels, may_follow, spans_of
from streamproc_mner.training.temperature import (
    LabelledScores,
    fit_temperature,
    mean_surprise,
)

LABELS = bio_labels(["PER", "LOC"])
Floats = NDArray[np.float32]


def _scores(seed: int, *, pad: bool = False) -> CrfScores:
    source = np.random.default_rng(seed)

    def draw(*shape: int) -> Floats:
        return source.normal(size=shape).astype(np.float32)

    count = len(LABELS)
    return CrfScores(
        draw(count),
        draw(count, count),
        draw(count),
        PadScores(draw(count), draw(count)) if pad else None,
    )


def _emissions(lengths: Sequence[int], seed: int, scale: float = 2.0) -> list[Floats]:
    source = np.random.default_rng(seed)
    return [source.normal(scale=scale, size=(n, len(LABELS))).astype(np.float32) for n in lengths]


def _sequences(length: int) -> list[tuple[int, ...]]:
    """All that BIO allows."""
    return [
        path
        for path in itertools.product(range(len(LABELS)), repeat=length)
        if all(
            may_follow(None if not place else LABELS[path[place - 1]], LABELS[label])
            for place, label in enumerate(path)
        )
    ]


def _score(scores: CrfScores, emissions: Floats, path: Sequence[int], joined: Sequence[bool]) -> float:
    """The score of one sequence, term by term."""
    total = float(scores.start[path[0]])
    for place, label in enumerate(path):
        total += float(emissions[place, label])
        last = place + 1 == len(path)
        if joined[place]:
            assert scores.pad is not None
            total += float(scores.pad.into[label]) + (
                0.0 if last else float(scores.pad.out[path[place + 1]])
            )
        elif last:
            total += float(scores.end[label])
        else:
            total += float(scores.transitions[label, path[place + 1]])
    return total


def _weights(
    scores: CrfScores, emissions: Floats, temperature: float, joined: Sequence[bool] | None = None
) -> dict[tuple[int, ...], float]:
    """exp(score / T) of every sequence."""
    flags = joined or [False] * len(emissions)
    return {
        path: math.exp(_score(scores, emissions, path, flags) / temperature)
        for path in _sequences(len(emissions))
    }


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_probabilities_are_those_of_all_scores_divided_by_it(temperature: float) -> None:
    scores = _scores(1)
    (post, beside) = _emissions([4, 6], 1)
    weights = _weights(scores, post, temperature)
    total = sum(weights.values())
    decoder = Decoder(LABELS, scores, temperature)
    found = decoder.decode([post, beside])[0]
    posteriors = decoder.posteriors(post)
    for place, label in itertools.product(range(4), range(len(LABELS))):
        share = sum(w for path, w in weights.items() if path[place] == label) / total
        assert posteriors[place, label] == pytest.approx(share, abs=1e-9)
        if found.labels[place] == label:
            assert found.confidence[place] == pytest.approx(share, abs=1e-9)
    assert found.spans, "the post has an entity to check"
    for scored in found.spans:
        names = {path: spans_of([LABELS[label] for label in path]) for path in weights}
        share = sum(w for path, w in weights.items() if scored.span in names[path]) / total
        assert scored.probability == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_joined_words_are_divided_too(temperature: float) -> None:
    scores, joined = _scores(2, pad=True), [True, False, True]
    (post,) = _emissions([3], 2)
    weights = _weights(scores, post, temperature, joined)
    decoder = Decoder(LABELS, scores, temperature)
    posteriors = decoder.posteriors(post, np.array(joined))
    for place, label in itertools.product(range(3), range(len(LABELS))):
        share = sum(w for path, w in weights.items() if path[place] == label) / sum(weights.values())
        assert posteriors[place, label] == pytest.approx(share, abs=1e-9)
    assert decoder.log_partition([post], [np.array(joined)])[0] == pytest.approx(
        math.log(sum(weights.values()))
    )


def test_the_labels_do_not_depend_on_it_and_a_higher_one_is_less_certain() -> None:
    scores, posts = _scores(3), _emissions([1, 7, 30, 12], 3)
    certain, as_it_is, doubtful = (Decoder(LABELS, scores, t).decode(posts) for t in (0.3, 1.0, 4.0))
    for sharp, plain, flat in zip(certain, as_it_is, doubtful, strict=True):
        assert sharp.labels.tolist() == plain.labels.tolist() == flat.labels.tolist()
        assert [s.span for s in sharp.spans] == [s.span for s in flat.spans]
        assert sharp.uncertainty < plain.uncertainty < flat.uncertainty


def test_a_post_is_as_certain_alone_as_beside_others() -> None:
    decoder, posts = Decoder(LABELS, _scores(4), 1.7), _emissions([7, 0, 1, 40, 12], 4)
    for together, post in zip(decoder.decode(posts), posts, strict=True):
        (alone,) = decoder.decode([post])
        np.testing.assert_allclose(together.confidence, alone.confidence, atol=1e-12)
        assert together.uncertainty == pytest.approx(alone.uncertainty, abs=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 10.0])
def test_what_is_forbidden_stays_so(temperature: float) -> None:
    decoder = Decoder(LABELS, _scores(5), temperature)
    (post,) = _emissions([5], 5)
    forbid_entities(post, [2])
    posteriors = decoder.posteriors(post)
    assert posteriors[2].tolist() == pytest.approx([1, 0, 0, 0, 0], abs=1e-12)
    assert posteriors[3, [LABELS.index("I-PER"), LABELS.index("I-LOC")]].tolist() == [0, 0]


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_what_is_no_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        Decoder(LABELS, _scores(5), temperature)


def test_the_surprise_is_that_of_all_sequences_that_agree_with_what_is_known() -> None:
    scores, posts = _scores(6), _emissions([2, 4, 3], 6)
    source = random.Random(6)
    labelled, expected = [], 0.0
    for post in posts:
        weights = _weights(scores, post, 1.6)
        gold = source.choice(list(weights))
        unknown = source.randrange(len(post))
        agrees = np.zeros(post.shape, bool)
        agrees[range(len(post)), gold] = True
        agrees[unknown] = True
        agreeing = [w for path, w in weights.items() if all(agrees[i, y] for i, y in enumerate(path))]
        assert len(agreeing) > 1, "something is summed over"
        expected -= math.log(sum(agreeing) / sum(weights.values()))
        labelled.append(LabelledScores(post, agrees))
    decoder = Decoder(LABELS, scores, 1.6)
    assert mean_surprise(decoder, labelled) == pytest.approx(expected / len(posts), rel=1e-6)


def _sampled(scores: CrfScores, temperature: float, count: int, seed: int) -> list[LabelledScores]:
    """Posts whose gold labels are drawn from the CRF at a temperature."""
    source, posts = random.Random(seed), []
    for post in _emissions([3] * count, seed, scale=3.0):
        weights = _weights(scores, post, temperature)
        (gold,) = source.choices(list(weights), list(weights.values()))
        agrees = np.zeros(post.shape, bool)
        agrees[range(3), gold] = True
        posts.append(LabelledScores(post, agrees))
    return posts


@pytest.mark.parametrize("true", [0.6, 1.0, 2.5])
def test_the_temperature_that_gold_labels_were_drawn_at_is_found(true: float) -> None:
    scores = _scores(7)
    fitted = fit_temperature(Decoder(LABELS, scores, 5.0), _sampled(scores, true, 600, 7))
    assert fitted.temperature == pytest.approx(true, rel=0.12)
    assert fitted.after <= fitted.before + 1e-9


def _calibration_error(decoder: Decoder, posts: Sequence[LabelledScores]) -> float:
    """Expected calibration error of the labels' confidences over ten bins, in plain loops."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(10)]
    for post in posts:
        (found,) = decoder.decode([post.emissions])
        for place, (label, chance) in enumerate(zip(found.labels, found.confidence, strict=True)):
            right = bool(post.agrees[place, label])
            bins[min(9, int(chance * 10))].append((float(chance), right))
    words = sum(map(len, bins))
    gaps = [abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins]
    return sum(gaps) / words


def test_an_overconfident_crf_is_better_calibrated_on_other_posts() -> None:
    scores = _scores(8)
    posts = _sampled(scores, 2.5, 800, 8)
    fitted = fit_temperature(Decoder(LABELS, scores), posts[:400])
    before = _calibration_error(Decoder(LABELS, scores), posts[400:])
    after = _calibration_error(Decoder(LABELS, scores, fitted.temperature), posts[400:])
    assert before > 0.15
    assert after < before / 3


def test_nothing_to_fit_on_is_an_error() -> None:
    with pytest.raises(InputError, match="there is none"):
        fit_temperature(Decoder(LABELS, _scores(1)), [])
