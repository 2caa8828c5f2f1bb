"""Softmax over some of the entries of an axis."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """a_k = exp(s_k) / sum over the entries k' that the mask names of exp(s_k'); 0 for all others.

    Where the mask names none, all weights are 0: a sum over nothing is a vector of zeros, and its
    gradient too.

    Args:
        scores: (..., K).
        mask: bool, broadcast to (..., K).

    Returns:
        (..., K), in float32 at least.
    """
    exact = torch.promote_types(scores.dtype, torch.float32)
    scores = scores.to(exact).masked_fill(~mask, torch.finfo(exact).min)
    return scores.softmax(dim=-1) * mask
