"""A whole text as one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TextQuery(nn.Module):
    """q = the last state of an LSTM that reads h_1 ... h_T (chen2021-wnut section 3.3, VAM).

    Args:
        words_width: of the words' representations h.
        width: of q.
    """

    def __init__(self, words_width: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(words_width, width, batch_first=True)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """The state after the last word.

        Args:
            words: (B, T, words_width), zeros at padding.
            mask: (B, T) bool, the words first. A text without words is read as one of zeros.

        Returns:
            (B, width).
        """
        states: Tensor
        states, _ = self.lstm(words)
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        return states[torch.arange(len(states), device=states.device), last]
