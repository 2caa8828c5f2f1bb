"""A bidirectional LSTM over padded rows."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiLstm(nn.Module):
    """torch's LSTM in both directions, packed: padding is never read.

    Rows are padded on the right. A row of nothing but padding gives zeros.

    Args:
        inputs: D, width of what is read.
        hidden: H, width of each direction's state.

    Attributes:
        width: 2 H, of what comes out.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """The states at each position, forward and backward side by side.

        Args:
            vectors: (B, T, D).
            mask: (B, T) bool.

        Returns:
            (B, T, 2 H), zeros at padding.
        """
        states, _ = self._run(vectors, mask)
        return states

    def ends(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """(B, 2 H): the state of each direction after all that it has read."""
        _, ends = self._run(vectors, mask)
        return ends

    def _run(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        lengths = mask.sum(dim=1)
        packed = pack_padded_sequence(
            vectors, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        packed_states, (last, _) = self.lstm(packed)
        states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=mask.shape[1])
        ends = last.transpose(0, 1).flatten(1)
        return (
            states.masked_fill(~mask.unsqueeze(-1), 0.0),
            ends.masked_fill((lengths == 0).unsqueeze(-1), 0.0),
        )
