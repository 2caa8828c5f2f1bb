"""Rows of words turned round, for networks that read them from behind."""

from __future__ import annotations

from collections.abc import Callable

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


def both_ways(
    read: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], vectors: Tensor, mask: Tensor
) -> Tensor:
    """What two directions make of rows of words, side by side at each word.

    Args:
        read: gets the rows and the rows turned round, both (B, T, D); gives (B, T, H) for each, in the
            order that it read them in.
        vectors: (B, T, D).
        mask: (B, T) bool, a row's words first.

    Returns:
        (B, T, 2 H), zeros at padding.
    """
    turned = turned_places(mask)
    forwards, backwards = read(vectors, rearranged(vectors, turned))
    states = torch.cat([forwards, rearranged(backwards, turned)], dim=-1)
    return states.masked_fill(~mask.unsqueeze(-1), 0.0)
