"""A picture's cells at the width of the words."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamproc_mner.nn.inputs import PictureInputs


class PictureCells(nn.Module):
    """V = W_u^T U + b (yu2020-umt section 2.2), and one learned cell for a post without a picture.

    The learned cell stands in the first place and is then the only one that attention sees: what a
    post without a picture gets does not depend on its batch.

    Args:
        picture_width: of u, a cell's vector.
        width: of v.
    """

    def __init__(self, picture_width: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(picture_width, width)
        self.absent = nn.Parameter(torch.empty(width).normal_(std=0.02))

    def forward(self, picture: PictureInputs | None, rows: int) -> tuple[Tensor, Tensor]:
        """Cells of B posts.

        Args:
            picture: their pictures; `None` if none has one.
            rows: B.

        Returns:
            V (B, N, d) and which of it is there (B, N) bool, one cell at least in each row.
        """
        if picture is None:
            cells = self.absent.expand(rows, 1, -1)
            return cells, torch.ones_like(cells[..., 0], dtype=torch.bool)
        missing = ~picture.seen.unsqueeze(1)
        cells = self.project(picture.features)
        cells = torch.where(missing.unsqueeze(2), self.absent.to(cells.dtype), cells)
        first = torch.arange(cells.shape[1], device=cells.device) == 0
        return cells, picture.mask | (missing & first)
