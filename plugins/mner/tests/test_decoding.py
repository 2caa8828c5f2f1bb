"""The numpy CRF of served models against the torch one, and its span probabilities by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamproc_mner.decoding import CrfScores, Decoder, forbid_entities
from streamproc_mner.labels import ENTITY_TYPES, Span, bio_labels, may_follow, spans_of
from streamproc_mner.nn.crf import CRF


def _crf(labels: tuple[str, ...], seed: int) -> tuple[CRF, Decoder]:
    torch.manual_seed(seed)
    crf = CRF(labels)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    scores = CrfScores(*(p.detach().numpy() for p in (crf.start, crf.transitions, crf.end)))
    return crf, Decoder(labels, scores)


def _emissions(lengths: list[int], labels: int, seed: int) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [random.normal(scale=3.0, size=(length, labels)).astype(np.float32) for length in lengths]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 1000))
def test_labels_and_confidences_are_those_of_the_torch_crf(lengths: list[int], seed: int) -> None:
    labels = bio_labels(ENTITY_TYPES)
    crf, decoder = _crf(labels, seed)
    posts = _emissions(lengths, len(labels), seed)
    for post, found in zip(posts, decoder.decode(posts), strict=True):
        if not len(post):
            assert (len(found.labels), found.spans, found.uncertainty) == (0, (), 0.0)
            continue
        given_, mask = torch.from_numpy(post).unsqueeze(0), torch.ones(1, len(post), dtype=torch.bool)
        assert found.labels.tolist() == crf.decode(given_, mask)[0].tolist()
        posteriors = crf.log_posteriors(given_, mask, constrained=True).exp()[0].detach().numpy()
        expected = posteriors[np.arange(len(post)), found.labels]
        np.testing.assert_allclose(found.confidence, expected, atol=1e-4)
        np.testing.assert_allclose(decoder.posteriors(post), posteriors, atol=1e-4)
        assert found.uncertainty == pytest.approx(1 - expected.min(), abs=1e-4)
        assert [s.span for s in found.spans] == spans_of([labels[label] for label in found.labels])


@pytest.mark.parametrize("seed", range(12))
def test_span_probability_is_the_share_of_sequences_with_exactly_that_span(seed: int) -> None:
    labels = bio_labels(["PER", "LOC"])
    crf, decoder = _crf(labels, seed)
    (post,) = _emissions([4], len(labels), seed)
    weights: dict[Span, float] = {}
    total = 0.0
    for sequence in itertools.product(range(len(labels)), repeat=4):
        names = [labels[label] for label in sequence]
        if not all(may_follow(a, b) for a, b in zip([None, *names], names, strict=False)):
            continue
        score = crf.start[sequence[0]] + crf.end[sequence[-1]]
        score = score + sum(crf.transitions[a, b] for a, b in itertools.pairwise(sequence))
        score = score + float(sum(post[place, label] for place, label in enumerate(sequence)))
        weight = float(torch.exp(score.double()).detach())
        total += weight
        for span in spans_of(names):
            weights[span] = weights.get(span, 0.0) + weight
    # Beside a longer post, so that the span's end meets padding.
    beside = _emissions([6], len(labels), seed + 100)[0]
    found = decoder.decode([post, beside])[0]
    for scored in found.spans:
        assert scored.probability == pytest.approx(weights[scored.span] / total, abs=1e-6)


def test_a_post_decodes_alike_alone_and_beside_others() -> None:
    labels = bio_labels(ENTITY_TYPES)
    _, decoder = _crf(labels, 5)
    posts = _emissions([7, 0, 1, 40, 12], len(labels), 5)
    for together, post in zip(decoder.decode(posts), posts, strict=True):
        (alone,) = decoder.decode([post])
        assert together.labels.tolist() == alone.labels.tolist()
        np.testing.assert_allclose(together.confidence, alone.confidence, atol=1e-12)
        assert [s.span for s in together.spans] == [s.span for s in alone.spans]


def test_ten_thousand_words_stay_in_range() -> None:
    labels = bio_labels(ENTITY_TYPES)
    _, decoder = _crf(labels, 6)
    (found,) = decoder.decode(_emissions([10_000], len(labels), 6))
    assert np.isfinite(found.confidence).all()
    assert all(0.0 <= scored.probability <= 1.0 for scored in found.spans)


def test_a_word_without_entities_is_o_whatever_its_emissions() -> None:
    labels = bio_labels(["PER"])
    _, decoder = _crf(labels, 7)
    post = np.array([[0, 9, 0], [0, 0, 9], [0, 9, 0]], np.float32)
    forbid_entities(post, [1])
    (found,) = decoder.decode([post])
    assert found.labels[1] == 0
    assert found.confidence[1] == pytest.approx(1.0)
