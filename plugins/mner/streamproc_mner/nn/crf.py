"""Linear-chain conditional random field.

Lafferty et al. 2001; as the output layer of a tagger, Lample et al. 2016 and wang2022-ita
section 2.1. With emissions e and transitions A, a label sequence y of a post of n words has

    score(y) = start[y_1] + sum_i e[i, y_i] + sum_i A[y_(i-1), y_i] + end[y_n]
    p(y)     = exp(score(y)) / sum over y' of exp(score(y'))

Batches are padded on the right: `mask` is true for a post's words, which come first, and every
post has at least one. All loops are over words; everything else is done for a batch at once.
Half-precision emissions and scores are computed with in float32: a sum over many words, or of many
sequences, is beyond their digits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamproc_mner.decoding import CrfScores
from streamproc_mner.labels import FORBIDDEN, start_constraints, transition_constraints

UNKNOWN = -1
"""A gold label that is not known: the likelihood sums over all labels there."""


class CRF(nn.Module):
    """Linear-chain CRF over BIO labels.

    Args:
        labels: the L labels in the order of the emissions' last axis.

    Attributes:
        smoothing: share of a training loss that asks for all labels alike at each word; see
            `log_likelihood`.

    BIO is enforced in decoding and in posteriors on request (`constrained`), and never in the
    likelihood's denominator, so that training also learns that `I-` follows nothing else.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        count = len(labels)
        self.start = nn.Parameter(torch.empty(count).uniform_(-0.1, 0.1))
        self.transitions = nn.Parameter(torch.empty(count, count).uniform_(-0.1, 0.1))
        self.end = nn.Parameter(torch.empty(count).uniform_(-0.1, 0.1))
        self.start_limits: Tensor
        self.transition_limits: Tensor
        self.register_buffer("start_limits", torch.from_numpy(start_constraints(labels)), persistent=False)
        self.smoothing = 0.0
        limits = torch.from_numpy(transition_constraints(labels))
        self.register_buffer("transition_limits", limits, persistent=False)

    def log_likelihood(self, emissions: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """log p(gold) of each post; with unknown labels, of all sequences that agree with the known ones.

        In training with `smoothing` s it is (1 - s) log p(gold) + s sum_i mean_l log p(y_i = l): label
        smoothing (Szegedy et al. 2016) of the posteriors of words.

        Args:
            emissions: (B, T, L).
            gold: (B, T) label indices, `UNKNOWN` where not known.
            mask: (B, T) bool.

        Returns:
            (B,), not above 0.
        """
        choices = torch.arange(emissions.shape[-1], device=emissions.device)
        agrees = (gold.unsqueeze(-1) == choices) | (gold == UNKNOWN).unsqueeze(-1)
        likelihood = self.log_agreement(emissions, agrees, mask)
        if not (self.training and self.smoothing):
            return likelihood
        everything = (self.log_posteriors(emissions, mask).mean(dim=-1) * mask).sum(dim=-1)
        return (1.0 - self.smoothing) * likelihood + self.smoothing * everything

    def log_agreement(self, emissions: Tensor, agrees: Tensor, mask: Tensor) -> Tensor:
        """log p of all sequences whose every label is one of those that agree with what is known.

        Args:
            emissions: (B, T, L).
            agrees: (B, T, L) bool, one label at least at each word.
            mask: (B, T) bool.

        Returns:
            (B,), not above 0.
        """
        known = _wide(emissions).masked_fill(~agrees, FORBIDDEN)
        return self.log_partition(known, mask) - self.log_partition(emissions, mask)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """(B,): log of the sum over all label sequences of exp(score), by the forward algorithm."""
        start, transitions, end = self._scores(constrained=False)
        alphas = self._forward(_wide(emissions), mask, start, transitions)
        return torch.logsumexp(alphas[:, -1] + end, dim=-1)

    def log_posteriors(self, emissions: Tensor, mask: Tensor, *, constrained: bool = False) -> Tensor:
        """log p(y_i = l | post) by forward-backward (wang2022-ita eq. 5).

        Args:
            emissions: (B, T, L).
            mask: (B, T) bool.
            constrained: leave out sequences that BIO forbids.

        Returns:
            (B, T, L); what stands at padding means nothing.
        """
        emissions = _wide(emissions)
        start, transitions, end = self._scores(constrained)
        alphas = self._forward(emissions, mask, start, transitions)
        beta = end.expand(emissions.shape[0], -1)
        betas = [beta]
        for t in range(emissions.shape[1] - 1, 0, -1):
            ahead = (beta + emissions[:, t]).unsqueeze(1) + transitions
            beta = torch.where(mask[:, t, None], torch.logsumexp(ahead, dim=2), beta)
            betas.append(beta)
        scores = alphas + torch.stack(betas[::-1], dim=1)
        return scores - torch.logsumexp(scores, dim=-1, keepdim=True)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable label sequence that BIO allows, by the Viterbi algorithm.

        Args:
            emissions: (B, T, L).
            mask: (B, T) bool.

        Returns:
            (B, T) label indices, 0 at padding.
        """
        emissions = _wide(emissions)
        start, transitions, end = self._scores(constrained=True)
        score = start + emissions[:, 0]
        stay = torch.arange(emissions.shape[-1], device=emissions.device).expand_as(score)
        steps: list[Tensor] = []
        for t in range(1, emissions.shape[1]):
            best, before = (score.unsqueeze(2) + transitions).max(dim=1)
            here = mask[:, t, None]
            score = torch.where(here, best + emissions[:, t], score)
            steps.append(torch.where(here, before, stay))
        label = (score + end).argmax(dim=-1)
        path = [label]
        for step in reversed(steps):
            label = step.gather(1, label.unsqueeze(1)).squeeze(1)
            path.append(label)
        return torch.stack(path[::-1], dim=1) * mask

    def scores(self) -> CrfScores:
        """The scores for decoding without torch."""
        parts = (self.start, self.transitions, self.end)
        start, transitions, end = (part.detach().float().cpu().numpy() for part in parts)
        return CrfScores(start, transitions, end)

    def _scores(self, constrained: bool) -> tuple[Tensor, Tensor, Tensor]:
        start, transitions, end = _wide(self.start), _wide(self.transitions), _wide(self.end)
        if constrained:
            return start + self.start_limits, transitions + self.transition_limits, end
        return start, transitions, end

    @staticmethod
    def _forward(emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor) -> Tensor:
        """(B, T, L): log-sums of all beginnings that end in a label; kept as they are at padding."""
        alpha = start + emissions[:, 0]
        alphas = [alpha]
        for t in range(1, emissions.shape[1]):
            ahead = torch.logsumexp(alpha.unsqueeze(2) + transitions, dim=1) + emissions[:, t]
            alpha = torch.where(mask[:, t, None], ahead, alpha)
            alphas.append(alpha)
        return torch.stack(alphas, dim=1)


def _wide(scores: Tensor) -> Tensor:
    """As they are, or as float32 if they are in half precision."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
