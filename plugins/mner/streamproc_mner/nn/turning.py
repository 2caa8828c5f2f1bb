"""Rows of words turned round, for networks that read them from behind."""

from __future__ import annotations

import torch
from torch import Tensor


def turned_places(mask: Tensor) -> Tensor:
    """(B, T): positions that turn each row's words round and leave its padding where it is.

    Args:
        mask: (B, T) bool, a row's words first.
    """
    places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)


def rearranged(vectors: Tensor, places: Tensor) -> Tensor:
    """(B, T, W) with each row's vectors in the order of `places` (B, T)."""
    return vectors.gather(1, places.unsqueeze(-1).expand_as(vectors))
