"""How much each modality counts for each word."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ModalityAttention(nn.Module):
    """A weighted mean of the modalities' vectors of each word (moon2018 eq. 4).

        a_t = sigmoid(W_m [x_t^(1) ; ... ; x_t^(M)] + b_m)
        alpha_t = softmax(a_t)
        x_t = sum over m of alpha_t^(m) x_t^(m)

    A modality that is not there is left out of the product and of the softmax; with the image left
    out that is eq. 5. As a_t lies between 0 and 1, no modality that is there counts more than e
    times as much as another.

    Args:
        modalities: M.
        width: P, of each modality's vectors.
    """

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.scores = nn.Linear(modalities * width, modalities)

    def forward(self, vectors: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Mix the modalities.

        Args:
            vectors: (B, T, M, P).
            present: (B, M) bool, which modalities are there; at least one in each row.

        Returns:
            (B, T, P) mixed vectors, and (B, T, M) weights, whose rows sum to 1.
        """
        known = vectors.masked_fill(~present[:, None, :, None], 0.0)
        scores = torch.sigmoid(self.scores(known.flatten(2)))
        weights = torch.softmax(scores.masked_fill(~present.unsqueeze(1), -torch.inf), dim=-1)
        return (weights.unsqueeze(-1) * known).sum(dim=2), weights
