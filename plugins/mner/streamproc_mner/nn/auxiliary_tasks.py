"""Easier tasks that a tagger is trained on beside its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from streamproc_mner.nn.crf import UNKNOWN


class TypingAndSegmentation(nn.Module):
    """Two tasks of each word by itself: which label it has, and whether it is part of an entity.

    With the word's state h_t, its label y_t, and s_t = 1 where that is not O and 0 else,

        typing       = -sum over t of log softmax(W_y h_t + b_y)[y_t]
        segmentation = -sum over t of s_t log p_t + (1 - s_t) log(1 - p_t), p_t = sigmoid(w_s h_t + b_s)

    the tasks of Aguilar et al. 2017 (moon2018 section 4.2). They are trained together with the CRF;
    Aguilar et al. train a CRF afterwards, on what the tasks have learnt.

    Args:
        labels: the L BIO labels.
        width: W, of a word's state.
    """

    def __init__(self, labels: Sequence[str], width: int) -> None:
        super().__init__()
        self._outside = labels.index("O")
        self.typing = nn.Linear(width, len(labels))
        self.segmentation = nn.Linear(width, 1)

    def forward(self, states: Tensor, gold: Tensor, mask: Tensor) -> Tensor:
        """The sum of both losses over the words of each post.

        Args:
            states: (B, T, W).
            gold: (B, T) label indices; words whose label is not known do not count.
            mask: (B, T) bool.

        Returns:
            (B,).
        """
        known = mask & (gold != UNKNOWN)
        labels = gold.masked_fill(~known, self._outside)
        typing = cross_entropy(self.typing(states).transpose(1, 2), labels, reduction="none")
        inside = self.segmentation(states).squeeze(-1)
        segmentation = binary_cross_entropy_with_logits(
            inside, (labels != self._outside).to(inside.dtype), reduction="none"
        )
        return torch.where(known, typing + segmentation, 0.0).sum(dim=1)
