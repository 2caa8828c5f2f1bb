"""Which sub-tokens of a post carry labels: each word's first alone, or all, the others PAD."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import torch
from torch import Tensor

from streamproc_mner.decoding import CrfScores, PadScores
from streamproc_mner.nn.crf import CRF, UNKNOWN
from streamproc_mner.nn.inputs import Inputs, at_words
from streamproc_mner.nn.tagger import Attention, Output

PAD: Final = "PAD"

LabelPlacing = Literal["first", "pad-as-authors"]


class SubtokenLabels(ABC):
    """Puts the labels of words on sub-tokens, for training, and takes them off, for serving.

    Attributes:
        labels: K labels, those of the emissions and of the CRF.
    """

    labels: tuple[str, ...]

    @abstractmethod
    def output(
        self, emissions: Tensor, inputs: Inputs, weights: Mapping[str, Attention] | None = None
    ) -> Output:
        """(B, S, K) emissions of all sub-tokens to what is served, of words."""

    @abstractmethod
    def log_likelihood(self, crf: CRF, emissions: Tensor, gold: Tensor, inputs: Inputs) -> Tensor:
        """log p of the words' labels.

        Args:
            crf: over `labels`.
            emissions: (B, S, K) of all sub-tokens.
            gold: (B, T) label indices of words, `UNKNOWN` where not known.
            inputs: the windows.

        Returns:
            (B,).
        """

    @abstractmethod
    def scores(self, crf: CRF) -> CrfScores:
        """The CRF over words that is served."""


class FirstSubtokens(SubtokenLabels):
    """A word's first sub-token carries its label, the others are left out of the sequence.

    Args:
        labels: of words.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)

    def output(
        self, emissions: Tensor, inputs: Inputs, weights: Mapping[str, Attention] | None = None
    ) -> Output:
        return Output(at_words(emissions, inputs.firsts), weights=weights or {})

    def log_likelihood(self, crf: CRF, emissions: Tensor, gold: Tensor, inputs: Inputs) -> Tensor:
        return crf.log_likelihood(at_words(emissions, inputs.firsts), gold, inputs.words)

    def scores(self, crf: CRF) -> CrfScores:
        return crf.scores()


class PaddedSubtokens(SubtokenLabels):
    """All sub-tokens of the post carry labels, those that are no word's first one the label PAD.

    So yu2020-umt's published code does it, and wang2022-ita A.5 shows that it costs accuracy: the
    CRF's steps from word to word run through PAD, which forgets the label before.

    What is served is exactly this CRF given which sub-tokens are words' first ones: there PAD is
    impossible, elsewhere it is certain, and BIO holds over words. A step through PADs from y to y'
    then scores A[y, PAD] + A[PAD, y'] (`streamproc_mner.decoding.PadScores`).

    Args:
        labels: of words.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = (*labels, PAD)
        self._pad = len(labels)

    def output(
        self, emissions: Tensor, inputs: Inputs, weights: Mapping[str, Attention] | None = None
    ) -> Output:
        at_firsts = at_words(emissions[..., : self._pad], inputs.firsts)
        return Output(at_firsts, self._joined(inputs), weights or {})

    def log_likelihood(self, crf: CRF, emissions: Tensor, gold: Tensor, inputs: Inputs) -> Tensor:
        # Position 0 is [CLS], which is no word's first sub-token: what padding puts there is cut off.
        placed = torch.full_like(inputs.ids, self._pad)
        placed = placed.scatter(1, inputs.firsts, gold.where(inputs.words, self._pad))[:, 1:]
        choices = torch.arange(len(self.labels), device=placed.device)
        unknown = (placed == UNKNOWN).unsqueeze(-1) & (choices != self._pad)
        agrees = (placed.unsqueeze(-1) == choices) | unknown
        return crf.log_agreement(emissions[:, 1:], agrees, _of_post(inputs)[:, 1:])

    def scores(self, crf: CRF) -> CrfScores:
        scores, pad = crf.scores(), self._pad
        return replace(
            scores,
            start=scores.start[:pad],
            transitions=scores.transitions[:pad, :pad],
            end=scores.end[:pad],
            pad=PadScores(scores.transitions[:pad, pad], scores.transitions[pad, :pad]),
        )

    @staticmethod
    def _joined(inputs: Inputs) -> Tensor:
        """(B, T) bool: whether a PAD follows the word's first sub-token."""
        is_first = torch.zeros_like(inputs.mask, dtype=torch.bool)
        is_first = is_first.scatter(1, inputs.firsts, inputs.words)
        padded = _of_post(inputs) & ~is_first
        return padded.gather(1, inputs.firsts + 1) & inputs.words


def subtoken_labels(placing: LabelPlacing, labels: Sequence[str]) -> SubtokenLabels:
    """The way of a setting `labels`."""
    return FirstSubtokens(labels) if placing == "first" else PaddedSubtokens(labels)


def _of_post(inputs: Inputs) -> Tensor:
    """(B, S) bool: the sub-tokens of the post, which stand between [CLS] and its [SEP]."""
    within = (inputs.mask.bool() & (inputs.kinds == 0)).sum(dim=1, keepdim=True)
    places = torch.arange(inputs.ids.shape[1], device=inputs.ids.device)
    return (places > 0) & (places < within - 1)
