"""What the writing of a word shows beyond its letters, as a vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class WordShapeEmbedding(nn.Module):
    """Sum of one vector for each of a word's shape numbers (`streamproc_mner.words.shapes_of`).

    An uncased encoder does not see capitals; this gives them back. Row 0 of each table belongs to
    positions that are no word's first sub-token and stays zero.

    Args:
        sizes: rows of each table.
        width: of the vectors.
    """

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, width, padding_idx=0) for size in sizes)
        for table in self.tables:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.02)
            with torch.no_grad():
                table.weight[0].zero_()

    def forward(self, shapes: Tensor) -> Tensor:
        """(..., number of tables) of int64 to (..., width)."""
        vectors = [table(shapes[..., index]) for index, table in enumerate(self.tables)]
        return torch.stack(vectors).sum(dim=0)
