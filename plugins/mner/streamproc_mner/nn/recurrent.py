"""A bidirectional LSTM over padded rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamproc_mner.nn.turning import both_ways, rearranged, turned_places


class BiLstm(nn.Module):
    """torch's LSTM in both directions; what stands at padding is never read before a word.

    Rows are padded on the right. The second direction reads each row's words turned round, with the
    padding still behind them: on CPUs that is quicker than packed sequences, which torch does not
    hand to its optimised kernels. A row of nothing but padding gives zeros.

    Args:
        inputs: D, width of what is read.
        hidden: H, width of each direction's state.

    Attributes:
        width: 2 H, of what comes out.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """The states at each position, forward and backward side by side.

        Args:
            vectors: (B, T, D).
            mask: (B, T) bool.

        Returns:
            (B, T, 2 H), zeros at padding.
        """
        return both_ways(self._read, vectors, mask)

    def ends(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(B, 2 H): the state of each direction after all that it has read."""
        lengths = mask.sum(dim=1)
        states = torch.cat(self._read(vectors, rearranged(vectors, turned_places(mask))), dim=-1)
        rows = torch.arange(len(mask), device=mask.device)
        last = states[rows, (lengths - 1).clamp(min=0)]
        return last.masked_fill((lengths == 0).unsqueeze(-1), 0.0)

    def _read(self, vectors: Tensor, turned: Tensor) -> tuple[Tensor, Tensor]:
        """The states of both directions, each in the order that it reads in."""
        forwards, _ = self.forwards(vectors)
        backwards, _ = self.backwards(turned)
        return forwards, backwards
