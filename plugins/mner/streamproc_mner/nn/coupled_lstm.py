"""The entity LSTM of Moon et al. 2018: coupled gates that also see the cell."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from streamproc_mner.nn.turning import both_ways

_DIRECTIONS = 2


class CoupledLstm(nn.Module):
    """A bidirectional LSTM whose forget gate is what the input gate leaves (moon2018 eq. 1).

        i_t = sigmoid(W_xi x_t + W_hi h_(t-1) + W_ci c_(t-1) + b_i)
        c_t = (1 - i_t) * c_(t-1) + i_t * tanh(W_xc x_t + W_hc h_(t-1) + b_c)
        o_t = sigmoid(W_xo x_t + W_ho h_(t-1) + W_co c_t + b_o)
        h_t = o_t * tanh(c_t)

    with h_0 = c_0 = 0. The print leaves x_t out of the input gate; it is in Lample et al. 2016, from
    where the cell is. Rows are padded on the right; padding is never read. The loop is over T.

    Args:
        inputs: D, width of what is read.
        hidden: H, width of each direction's state.

    Attributes:
        width: 2 H, of what comes out.
        from_input: (2, D, 3 H), for each direction W_xi, W_xc and W_xo side by side, transposed.
        from_state: (2, H, 3 H), W_hi, W_hc and W_ho.
        from_cell: (2, H, 2 H), W_ci and W_co.
        bias: (2, 3 H), b_i, b_c and b_o.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.width = _DIRECTIONS * hidden
        self.from_input = nn.Parameter(_random(inputs, hidden, 3))
        self.from_state = nn.Parameter(_random(hidden, hidden, 3))
        self.from_cell = nn.Parameter(_random(hidden, hidden, 2))
        self.bias = nn.Parameter(torch.zeros(_DIRECTIONS, 3 * hidden))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """The states at each position, forward and backward side by side.

        Args:
            vectors: (B, T, D).
            mask: (B, T) bool.

        Returns:
            (B, T, 2 H), zeros at padding.
        """
        return both_ways(self._read, vectors, mask)

    def _read(self, vectors: Tensor, turned: Tensor) -> tuple[Tensor, Tensor]:
        """The states of both directions (B, T, H), each in the order that it reads in."""
        read = torch.stack([vectors, turned])
        hidden = self.width // _DIRECTIONS
        inputs = read @ self.from_input.unsqueeze(1) + self.bias[:, None, None]
        state = cell = read.new_zeros(*read.shape[:2], hidden)
        for_input = torch.zeros_like(state)
        states: list[Tensor] = []
        for now in inputs.unbind(dim=2):
            into, candidate, out = (now + state @ self.from_state).chunk(3, dim=-1)
            gate = torch.sigmoid(into + for_input)
            cell = (1 - gate) * cell + gate * torch.tanh(candidate)
            # W_co c_t is for now, W_ci c_t for the next step's input gate.
            for_input, for_output = (cell @ self.from_cell).chunk(2, dim=-1)
            state = torch.sigmoid(out + for_output) * torch.tanh(cell)
            states.append(state)
        forward, backward = torch.stack(states, dim=2)
        return forward, backward


def _random(inputs: int, hidden: int, matrices: int) -> Tensor:
    """Weights of both directions, U(-sqrt(6 / (inputs + hidden)), ...) (Glorot & Bengio 2010)."""
    bound = math.sqrt(6 / (inputs + hidden))
    return torch.empty(_DIRECTIONS, inputs, matrices * hidden).uniform_(-bound, bound)
