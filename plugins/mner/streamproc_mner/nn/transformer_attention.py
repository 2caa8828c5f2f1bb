"""What words attend to in a transformer that reads a picture's regions behind the text."""

from __future__ import annotations

import torch
from torch import Tensor

from streamproc_mner.nn.inputs import at_words


def attention_to_regions(attention: Tensor, firsts: Tensor, regions: int) -> tuple[Tensor, Tensor]:
    """Which regions a word attends to, and how much of its attention the picture gets.

    With the attention A^h of H heads in one layer, f(i) the first sub-token of word i, and regions
    at the last N of K positions,

        a_ij = 1/H sum_h A^h[f(i), K - N + j]
        w_ij = a_ij / sum_j' a_ij'            the regions, against each other
        s_i  = [1 - sum_j a_ij, sum_j a_ij]   the text, against the picture

    What is seldom looked at can still be looked at selectively: so the two are told apart.

    Args:
        attention: A (B, H, K, K), each row with the sum 1 and 0 at masked positions.
        firsts: f (B, T).
        regions: N.

    Returns:
        w (B, T, N), zeros for a post without a picture, and s (B, T, 2).
    """
    mean = attention.float().mean(dim=1)
    to_regions = at_words(mean[..., mean.shape[-1] - regions :], firsts)
    picture = to_regions.sum(dim=-1, keepdim=True).clamp(max=1.0)
    weights = to_regions / picture.clamp(min=torch.finfo(picture.dtype).tiny)
    return weights, torch.cat([1.0 - picture, picture], dim=-1)
