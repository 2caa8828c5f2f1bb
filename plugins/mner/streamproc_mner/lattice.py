"""Forward and backward over a CRF's label sequences, in numpy, for a whole batch at once.

Probabilities are scaled to sum to 1 at each word, in float64; loops are over words only. With a
temperature T all scores of the CRF are divided by T: the most probable sequence stays the same,
probabilities are nearer to each other above 1 and further apart below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.labels import FORBIDDEN

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WIDEST: Final = 100.0
"""How far scores may lie apart and count in full; e^-100 is 4e-44."""


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Scaled forward and backward probabilities of a batch, words first.

    Attributes:
        emitted: (T, B, L) exp of the emissions, each word's greatest 1.
        alphas, betas: (T, B, L), with alpha * beta the posteriors.
        scales: (T, B) what the alphas were divided by.
        joined: (T, B) bool, see `streamproc_mner.decoding.Decoder.decode`.
    """

    emitted: Floats
    alphas: Floats
    betas: Floats
    scales: Floats
    joined: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Padded:
    """Posts as one batch, words first.

    Attributes:
        emissions: (T, B, L), 0 at padding.
        here: (T, B), where words are.
        joined: (T, B), see `Lattice`.
    """

    emissions: Floats
    here: Flags
    joined: Flags

    @classmethod
    def of(cls, emissions: Sequence[NDArray[np.float32]], joined: Sequence[Flags] | None) -> Padded:
        """Posts of n words each, (n, L) and (n,); a batch has one word at least."""
        lengths = np.array([len(post) for post in emissions], np.int64)
        padded = np.zeros((int(lengths.max()), len(emissions), emissions[0].shape[1]))
        flags = np.zeros(padded.shape[:2], bool)
        for row, post in enumerate(emissions):
            padded[: len(post), row] = post
            if joined is not None:
                flags[: len(post), row] = joined[row]
        return cls(padded, np.arange(len(padded))[:, None] < lengths, flags)

    @property
    def last_joined(self) -> NDArray[np.int64]:
        """(B,): 1 for posts whose last word is joined to the end."""
        last = np.maximum(self.here.sum(axis=0) - 1, 0)
        flags: NDArray[np.int64] = self.joined[last, np.arange(self.here.shape[1])].astype(np.int64)
        return flags


class Chain:
    """The scores of one CRF at a temperature, as odds.

    Args:
        start: (L,).
        transitions: (J, L, L) from row to column: of neighbours, and of those that are joined by PADs.
        end: (J, L).
        temperature: that all scores and emissions are divided by.
    """

    def __init__(self, start: Floats, transitions: Floats, end: Floats, temperature: float) -> None:
        self.steps = _odds(transitions, temperature)
        self._start = _odds(start, temperature)
        self._end = _odds(end, temperature)
        self._temperature = temperature

    def lattice(self, posts: Padded) -> Lattice:
        """Forward and backward probabilities."""
        emitted, alphas, scales = self._forward(posts)
        here, joined, end = posts.here, posts.joined, self._end[posts.last_joined]
        betas = np.empty_like(emitted)
        beta = end / (alphas[-1] * end).sum(axis=1)[:, None]
        betas[-1] = beta
        for t in range(len(emitted) - 1, 0, -1):
            steps = between(joined[t - 1], self.steps)
            back = (steps @ (emitted[t] * beta)[:, :, None])[:, :, 0] / scales[t][:, None]
            beta = np.where(here[t][:, None], back, beta)
            betas[t - 1] = beta
        return Lattice(emitted, alphas, betas, scales, joined)

    def log_partition(self, posts: Padded) -> Floats:
        """(B,): log of the sum over all label sequences of exp(score / T).

        Scores that lie further apart than `WIDEST` count as if they did not.
        """
        _, alphas, scales = self._forward(posts)
        tops = posts.emissions.max(axis=2) / self._temperature
        ends = (alphas[-1] * self._end[posts.last_joined]).sum(axis=1)
        total: Floats = np.log(ends) + ((np.log(scales) + tops) * posts.here).sum(axis=0)
        return total

    def _forward(self, posts: Padded) -> tuple[Floats, Floats, Floats]:
        """(T, B, L), (T, B, L), (T, B): emitted, alphas, scales; alphas stay as they are at padding."""
        emissions, joined = posts.emissions, posts.joined
        emitted = _odds(emissions - emissions.max(axis=2, keepdims=True), self._temperature)
        alphas = np.empty_like(emitted)
        scales = np.ones(emitted.shape[:2])
        alpha = self._start * emitted[0]
        for t in range(len(emitted)):
            if t:
                ahead = (alpha[:, None, :] @ between(joined[t - 1], self.steps))[:, 0]
                alpha = np.where(posts.here[t][:, None], ahead * emitted[t], alpha)
            scales[t] = alpha.sum(axis=1)
            alpha = alpha / scales[t][:, None]
            alphas[t] = alpha
        return emitted, alphas, scales


def between(joined: Flags, steps: Floats) -> Floats:
    """(B, L, L), or (1, L, L) for all alike: what leads from one word to the next.

    Args:
        joined: (B,).
        steps: (J, L, L).
    """
    return steps[joined.astype(np.int64)] if joined.any() else steps[:1]


def _odds(scores: Floats, temperature: float) -> Floats:
    """exp of scores / T, of which none that is possible becomes 0 or infinite, and with it all behind it.

    What lies `WIDEST` below the best is as unlikely as makes no difference; what is forbidden is 0.
    """
    return np.where(scores <= FORBIDDEN / 2, 0.0, np.exp(np.clip(scores / temperature, -WIDEST, WIDEST)))
