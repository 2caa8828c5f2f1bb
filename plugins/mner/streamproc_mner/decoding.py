"""The CRF of a served model, in numpy: labels, span probabilities, confidences.

The same distribution as `streamproc_mner.nn.crf` under the constraints of BIO, for a whole batch
at once; loops are over words only. Forward and backward are in `streamproc_mner.lattice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.labels import FORBIDDEN, Span, start_constraints, transition_constraints
from streamproc_mner.lattice import Chain, Flags, Floats, Lattice, Padded, between


@dataclass(frozen=True, slots=True, eq=False)
class PadScores:
    """The transition scores of the label PAD, which sub-tokens have that are no word's first one.

    Attributes:
        into: (L,) from a word's label to PAD.
        out: (L,) from PAD to a word's label.
    """

    into: NDArray[np.float32]
    out: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CrfScores:
    """The scores of a CRF: start (L,), transitions (L, L) from row to column, end (L,).

    `pad` is there for a CRF over sub-tokens, `labels = pad-as-authors`.
    """

    start: NDArray[np.float32]
    transitions: NDArray[np.float32]
    end: NDArray[np.float32]
    pad: PadScores | None = None


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """An entity over words and the probability that exactly it is there, with this type."""

    span: Span
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the CRF says of one post of n words.

    Attributes:
        labels: (n,) indices of the most probable sequence.
        confidence: (n,) probability of each of these labels.
        spans: the entities of the sequence.
    """

    labels: NDArray[np.int64]
    confidence: Floats
    spans: tuple[ScoredSpan, ...]

    @property
    def uncertainty(self) -> float:
        """How likely the least certain word's label is wrong; 0 for no words.

        Unlike 1 - p(whole sequence) this does not grow with the length of a post of which every
        word is certain, so one threshold serves short posts and long ones.
        """
        return float(1.0 - self.confidence.min()) if len(self.confidence) else 0.0


class Decoder:
    """Decodes emissions with the scores of one model.

    Args:
        labels: the L BIO labels.
        scores: of its CRF.
        temperature: that all scores are divided by before probabilities are taken; 1 for as they
            are. The labels that are chosen do not depend on it.

    Raises:
        ValueError: the temperature is not above 0.
    """

    def __init__(self, labels: Sequence[str], scores: CrfScores, temperature: float = 1.0) -> None:
        self.labels = tuple(labels)
        self._start: Floats = (scores.start + start_constraints(labels)).astype(np.float64)
        transitions, ends = _both_steps(scores)
        self._transitions: Floats = transitions + transition_constraints(labels)
        self._end: Floats = ends
        self._use(temperature)
        # The inside label of each label's type, or none (-1): what would make a span longer.
        self._inside = np.array([labels.index(f"I-{x[2:]}") if x != "O" else -1 for x in labels])

    def _use(self, temperature: float) -> None:
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature {temperature}: expected a number above 0")
        self.temperature = temperature
        self._chain = Chain(self._start, self._transitions, self._end, temperature)

    def at(self, temperature: float) -> Decoder:
        """The same CRF at another temperature."""
        other = copy(self)
        other._use(temperature)
        return other

    def decode(
        self,
        emissions: Sequence[NDArray[np.float32]],
        joined: Sequence[Flags] | None = None,
    ) -> list[Decoded]:
        """Decode posts.

        Args:
            emissions: (n, L) of each post's words; n may be 0.
            joined: (n,) of each post: true where labels PAD stand between the word and the next (or
                the end), and the scores' `pad` count. Nowhere without it.
        """
        lengths = [len(post) for post in emissions]
        if not any(lengths):
            return [_nothing() for _ in emissions]
        posts = Padded.of(emissions, joined)
        paths = self._viterbi(posts)
        lattice = self._chain.lattice(posts)
        posteriors = lattice.alphas * lattice.betas
        confidence = np.take_along_axis(posteriors, paths[..., None], axis=2)[..., 0].clip(0.0, 1.0)
        spans = self._spans(paths, posts.here, lattice)
        return [
            Decoded(paths[:length, row], confidence[:length, row], tuple(spans[row]))
            if length
            else _nothing()
            for row, length in enumerate(lengths)
        ]

    def posteriors(self, emissions: NDArray[np.float32], joined: Flags | None = None) -> Floats:
        """(n, L): for one post of a word or more, the probability of each label at each word."""
        lattice = self._chain.lattice(Padded.of([emissions], None if joined is None else [joined]))
        return (lattice.alphas * lattice.betas)[:, 0]

    def log_partition(
        self, emissions: Sequence[NDArray[np.float32]], joined: Sequence[Flags] | None = None
    ) -> Floats:
        """(B,): log of the sum over all label sequences that BIO allows of exp(score / T); see `decode`.

        Every post has a word or more.
        """
        return self._chain.log_partition(Padded.of(emissions, joined))

    def _viterbi(self, posts: Padded) -> NDArray[np.int64]:
        """(T, B): the most probable labels, 0 at padding."""
        emissions, here, joined = posts.emissions, posts.here, posts.joined
        words, batch, count = emissions.shape
        stay = np.arange(count)
        before = np.zeros((words, batch, count), np.int64)
        score = self._start + emissions[0]
        for t in range(1, words):
            steps = score[:, :, None] + between(joined[t - 1], self._transitions)
            best = steps.argmax(axis=1)
            reached = np.take_along_axis(steps, best[:, None, :], axis=1)[:, 0] + emissions[t]
            inside = here[t][:, None]
            score = np.where(inside, reached, score)
            before[t] = np.where(inside, best, stay)
        label = (score + self._end[posts.last_joined]).argmax(axis=1)
        paths = np.zeros((words, batch), np.int64)
        rows = np.arange(batch)
        for t in range(words - 1, -1, -1):
            paths[t] = label
            label = before[t, rows, label]
        return paths * here

    def _spans(self, paths: NDArray[np.int64], here: Flags, lattice: Lattice) -> list[list[ScoredSpan]]:
        """Each post's entities with the probability of B, then I to the end, then no further I.

        p = alpha[s, B] * prod over the rest of A[., I] e[t, I] / c[t]
            * sum over y != I of A[last, y] e[t, y] beta[t, y] / c[t]   (t: the word after)
        """
        steps, joined = self._chain.steps, lattice.joined.astype(np.int64)
        is_begin = np.array([label[0] == "B" for label in self.labels])
        rows, starts = np.nonzero(is_begin[paths.T])
        labels = paths[starts, rows]
        inside = self._inside[labels]
        ends, last = starts + 1, labels.copy()
        probability = lattice.alphas[starts, rows, labels]
        growing = np.ones(len(rows), bool)
        while True:
            growing &= ends < len(paths)
            growing[growing] = (paths[ends[growing], rows[growing]] == inside[growing]) & here[
                ends[growing], rows[growing]
            ]
            if not growing.any():
                break
            t, row, label = ends[growing], rows[growing], inside[growing]
            step = steps[joined[t - 1, row], last[growing], label]
            step = step * lattice.emitted[t, row, label] / lattice.scales[t, row]
            probability[growing] *= step
            last[growing] = label
            ends[growing] += 1
        closed = ends < len(paths)
        closed[closed] = here[ends[closed], rows[closed]]
        tail = lattice.betas[ends - 1, rows, last]
        t, row = ends[closed], rows[closed]
        ahead = steps[joined[t - 1, row], last[closed]] * lattice.emitted[t, row] * lattice.betas[t, row]
        ahead[np.arange(len(t)), inside[closed]] = 0.0
        tail[closed] = ahead.sum(axis=1) / lattice.scales[t, row]
        probability = (probability * tail).clip(0.0, 1.0)
        found: list[list[ScoredSpan]] = [[] for _ in range(paths.shape[1])]
        for index, (row_, start, stop) in enumerate(
            zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)
        ):
            span = Span(start, stop, self.labels[int(labels[index])][2:])
            found[row_].append(ScoredSpan(span, float(probability[index])))
        return found


def _both_steps(scores: CrfScores) -> tuple[Floats, Floats]:
    """(2, L, L), (2, L): transition and end scores; second, those of words that are joined by PADs.

    Through k PADs a step from y to y' scores A[y, PAD] + A[PAD, y'] and what all steps have in
    common: (k - 1) A[PAD, PAD] and the PADs' emissions, or the end's score. That is left out.
    """
    transitions, end = scores.transitions.astype(np.float64), scores.end.astype(np.float64)
    if scores.pad is None:
        return transitions[None], end[None]
    into, out = scores.pad.into.astype(np.float64), scores.pad.out.astype(np.float64)
    return np.stack([transitions, into[:, None] + out]), np.stack([end, into])


def forbid_entities(emissions: NDArray[np.float32], words: Sequence[int]) -> None:
    """Leave only O (label 0) to some words, in place."""
    emissions[list(words), 1:] = FORBIDDEN


def _nothing() -> Decoded:
    return Decoded(np.zeros(0, np.int64), np.zeros(0), ())
