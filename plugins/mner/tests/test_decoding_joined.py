"""The served CRF over words that are joined by PADs, against enumeration of sub-token sequences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from streamproc_mner.decoding import CrfScores, Decoder, PadScores
from streamproc_mner.labels import Span, bio_labels, may_follow, spans_of

# How many sub-tokens each word of a post has.
ONE_TYPE = ((1,), (3,), (1, 1), (2, 1), (1, 3), (2, 2, 2), (1, 2, 1, 1), (3, 1, 1))
TWO_TYPES = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 1))
CASES = [(["PER"], ONE_TYPE), (["PER", "LOC"], TWO_TYPES)]


class _Full:
    """A random CRF over sub-tokens, PAD its last label, and the emissions of one post a word count."""

    def __init__(self, types: Sequence[str], seed: int) -> None:
        self.labels = bio_labels(types)
        self.pad = len(self.labels)
        self.random = np.random.default_rng(seed)
        count = self.pad + 1
        self.start = self._draw(count)
        self.transitions = self._draw(count, count)
        self.end = self._draw(count)

    def _draw(self, *shape: int) -> NDArray[np.float32]:
        return self.random.normal(scale=1.5, size=shape).astype(np.float32)

    def post(self, sizes: Sequence[int]) -> NDArray[np.float32]:
        """(m, K) emissions of all sub-tokens, which favour entities of several words."""
        emissions = self._draw(sum(sizes), self.pad + 1)
        emissions[:, 2] += 2.0
        return emissions

    def decoder(self) -> Decoder:
        pad = self.pad
        into, out = self.transitions[:pad, pad], self.transitions[pad, :pad]
        scores = CrfScores(
            self.start[:pad], self.transitions[:pad, :pad], self.end[:pad], PadScores(into, out)
        )
        return Decoder(self.labels, scores)

    def weights(self, sizes: Sequence[int], emissions: NDArray[np.float32]) -> dict[tuple[int, ...], float]:
        """What each sequence of word labels weighs, from all sequences of sub-token labels."""
        firsts = _firsts(sizes)
        found = {}
        for path in itertools.product(range(self.pad + 1), repeat=sum(sizes)):
            if any((label == self.pad) != (place not in firsts) for place, label in enumerate(path)):
                continue
            words = tuple(path[place] for place in firsts)
            names = [self.labels[label] for label in words]
            if not all(may_follow(a, b) for a, b in zip([None, *names], names, strict=False)):
                continue
            score = float(self.start[path[0]]) + float(self.end[path[-1]])
            score += sum(float(emissions[place, label]) for place, label in enumerate(path))
            score += sum(float(self.transitions[a, b]) for a, b in itertools.pairwise(path))
            found[words] = float(np.exp(score))
        return found


def _firsts(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[:word]) for word in range(len(sizes))]


def _joined(sizes: Sequence[int]) -> NDArray[np.bool_]:
    return np.array(sizes) > 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("types", "posts"), CASES, ids=["one-type", "two-types"])
def test_decodes_as_the_crf_over_sub_tokens_does(
    types: list[str], posts: tuple[tuple[int, ...], ...], seed: int
) -> None:
    full = _Full(types, seed)
    decoder, labels = full.decoder(), full.labels
    emissions = [full.post(sizes) for sizes in posts]
    at_words = [e[_firsts(sizes), : full.pad] for e, sizes in zip(emissions, posts, strict=True)]
    together = decoder.decode(at_words, [_joined(sizes) for sizes in posts])
    for sizes, every, words, found in zip(posts, emissions, at_words, together, strict=True):
        weights = full.weights(sizes, every)
        total = sum(weights.values())
        best = max(weights, key=weights.__getitem__)
        assert tuple(found.labels.tolist()) == best
        posteriors = np.zeros(words.shape)
        spans: dict[Span, float] = {}
        for path, weight in weights.items():
            for place, label in enumerate(path):
                posteriors[place, label] += weight / total
            for span in spans_of([labels[label] for label in path]):
                spans[span] = spans.get(span, 0.0) + weight / total
        np.testing.assert_allclose(decoder.posteriors(words, _joined(sizes)), posteriors, atol=1e-9)
        np.testing.assert_allclose(found.confidence, posteriors[np.arange(len(sizes)), best], atol=1e-9)
        assert [scored.span for scored in found.spans] == spans_of([labels[label] for label in best])
        for scored in found.spans:
            assert scored.probability == pytest.approx(spans[scored.span], abs=1e-9)


def test_a_joined_post_decodes_alike_alone_and_beside_longer_ones() -> None:
    full = _Full(["PER", "LOC"], 8)
    decoder = full.decoder()
    sizes = [(2, 1, 3), (1,) * 9, (4,) * 6]
    posts = [full.post(post)[_firsts(post), : full.pad] for post in sizes]
    joined = [_joined(post) for post in sizes]
    for together, post, flags in zip(decoder.decode(posts, joined), posts, joined, strict=True):
        (alone,) = decoder.decode([post], [flags])
        assert together.labels.tolist() == alone.labels.tolist()
        np.testing.assert_allclose(together.confidence, alone.confidence, atol=1e-12)


def test_scores_that_lie_far_apart_give_probabilities_all_the_same() -> None:
    labels = ("O", "B-A", "I-A")
    decoder = Decoder(labels, CrfScores(np.zeros(3), np.zeros((3, 3)), np.zeros(3)))
    steep = np.array([[0.0, -746.0, -746.0], [-746.0, -746.0, 0.0]], np.float32)
    random = np.random.default_rng(0).normal(0.0, 400.0, (12, 3)).astype(np.float32)
    for post in (steep, random):
        (decoded,) = decoder.decode([post])
        assert np.isfinite(decoded.confidence).all()
        assert ((decoded.confidence >= 0) & (decoded.confidence <= 1)).all()
        assert all(0 <= scored.probability <= 1 for scored in decoded.spans)
        assert 0 <= decoded.uncertainty <= 1
