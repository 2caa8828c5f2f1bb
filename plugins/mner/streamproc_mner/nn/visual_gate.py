"""How much of the picture a word takes (yu2020-umt eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VisualGate(nn.Module):
    """g = sigmoid(W_a^T a + W_q^T q + b) (yu2020-umt eq. 3), and B = g * Q, element by element.

    Args:
        width: of a, q and g.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.words = nn.Linear(width, width)
        self.pictures = nn.Linear(width, width, bias=False)

    def forward(self, words: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """B and g.

        Args:
            words: A (B, S, d), image-aware representations of words.
            pictures: Q (B, S, d), word-aware representations of the picture.

        Returns:
            B (B, S, d), and g (B, S, d), each from 0 to 1.
        """
        gate = torch.sigmoid(self.words(words) + self.pictures(pictures))
        return gate * pictures, gate
