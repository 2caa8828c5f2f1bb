"""Boxes of a detector as tensors: anchors, and what a network says of them. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

_MOST_GROWTH: Final = math.log(1000 / 16)
"""A box is never made larger than this in one step: exp() of what an untrained network says is inf."""


def cell_anchors(sides: Sequence[int], ratios: Sequence[float]) -> Tensor:
    """Boxes around the origin, for each side those of each ratio.

    Args:
        sides: square roots of the areas, in pixels.
        ratios: of height to width.

    Returns:
        left, top, right, bottom, (len(sides) * len(ratios), 4).
    """
    halves = [
        (side / math.sqrt(ratio) / 2, side * math.sqrt(ratio) / 2) for side in sides for ratio in ratios
    ]
    return torch.tensor([(-x, -y, x, y) for x, y in halves])


def grid_anchors(cells: Tensor, rows: int, columns: int, stride: int) -> Tensor:
    """The anchors of every cell of a map, row by row.

    Args:
        cells: anchors around the origin, (A, 4).
        rows: of the map.
        columns: of the map.
        stride: pixels from cell to cell; the first one is at 0.

    Returns:
        (rows * columns * A, 4).
    """
    y, x = torch.meshgrid(
        torch.arange(rows, device=cells.device) * stride,
        torch.arange(columns, device=cells.device) * stride,
        indexing="ij",
    )
    shifts = torch.stack((x, y, x, y), dim=-1).reshape(-1, 1, 4)
    return (shifts + cells).reshape(-1, 4)


def decode(boxes: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Boxes moved and stretched as a network says (Ren et al. 2015, section 3.1.2).

    x' = x + w * dx / wx and w' = w * exp(dw / ww) for centre x and width w; y and h alike.

    Args:
        boxes: (N, 4).
        deltas: dx, dy, dw, dh, (N, 4).
        weights: what the network's numbers were multiplied by in training.

    Returns:
        (N, 4).
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sizes / 2
    steps = deltas / deltas.new_tensor(weights)
    moved = centres + steps[:, :2] * sizes
    stretched = sizes * steps[:, 2:].clamp(max=_MOST_GROWTH).exp()
    return torch.cat((moved - stretched / 2, moved + stretched / 2), dim=1)
