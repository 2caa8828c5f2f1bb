"""The LSTM with coupled gates against Moon's equation 1, mended, in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from streamproc_mner.nn.coupled_lstm import CoupledLstm

INPUTS, HIDDEN = 4, 3
LENGTHS = (4, 0, 1, 6)


@pytest.fixture
def lstm() -> CoupledLstm:
    torch.manual_seed(0)
    lstm = CoupledLstm(INPUTS, HIDDEN).double()
    torch.nn.init.normal_(lstm.bias)
    return lstm


@pytest.fixture
def vectors() -> Tensor:
    seeded = torch.Generator().manual_seed(1)
    return torch.randn(len(LENGTHS), max(LENGTHS), INPUTS, dtype=torch.float64, generator=seeded)


@pytest.fixture
def mask() -> Tensor:
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _times(vector: list[float], matrix: list[list[float]], block: int) -> list[float]:
    """The product with one of the matrices that stand side by side."""
    columns = range(block * HIDDEN, (block + 1) * HIDDEN)
    return [sum(v * row[column] for v, row in zip(vector, matrix, strict=True)) for column in columns]


def _one_direction(lstm: CoupledLstm, direction: int, words: list[list[float]]) -> list[list[float]]:
    inputs, states, cells = (
        weight[direction].tolist() for weight in (lstm.from_input, lstm.from_state, lstm.from_cell)
    )
    bias = lstm.bias[direction].tolist()
    h, c = [0.0] * HIDDEN, [0.0] * HIDDEN
    given = []
    for x in words:
        xi, xc, xo = (_times(x, inputs, block) for block in range(3))
        hi, hc, ho = (_times(h, states, block) for block in range(3))
        ci = _times(c, cells, 0)
        for n in range(HIDDEN):
            i = _sigmoid(xi[n] + hi[n] + ci[n] + bias[n])
            c[n] = (1 - i) * c[n] + i * math.tanh(xc[n] + hc[n] + bias[HIDDEN + n])
        co = _times(c, cells, 1)
        h = [
            _sigmoid(xo[n] + ho[n] + co[n] + bias[2 * HIDDEN + n]) * math.tanh(c[n]) for n in range(HIDDEN)
        ]
        given.append(h)
    return given


def test_it_is_equation_1_in_both_directions(lstm: CoupledLstm, vectors: Tensor, mask: Tensor) -> None:
    found = lstm(vectors, mask).tolist()
    for row, length in enumerate(LENGTHS):
        words = vectors[row, :length].tolist()
        there = _one_direction(lstm, 0, words)
        back = _one_direction(lstm, 1, words[::-1])[::-1]
        for place in range(length):
            assert found[row][place] == pytest.approx(there[place] + back[place], abs=1e-10)


def test_padding_gives_zeros_and_is_not_read(lstm: CoupledLstm, vectors: Tensor, mask: Tensor) -> None:
    found = lstm(vectors, mask)
    assert (found[~mask] == 0).all()
    torch.testing.assert_close(lstm(vectors.masked_fill(~mask.unsqueeze(-1), 1e6), mask), found)


def test_the_input_gate_sees_the_word(lstm: CoupledLstm) -> None:
    """What the print leaves out: were x_t not in i_t, a cell's share of the past would not depend on it."""
    with torch.no_grad():
        lstm.from_input[:, :, HIDDEN:] = 0.0
    words = torch.zeros(2, 1, INPUTS, dtype=torch.float64)
    words[1] = 1.0
    one, other = lstm(words, torch.ones(2, 1, dtype=torch.bool))
    assert not torch.allclose(one, other)


def test_gradients_are_right(lstm: CoupledLstm, vectors: Tensor, mask: Tensor) -> None:
    def run(read: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(("from_input", "from_state", "from_cell", "bias"), weights, strict=True))
        states: Tensor = torch.func.functional_call(lstm, given, (read, mask))
        return states

    weights = [weight.detach().clone().requires_grad_() for weight in lstm.parameters()]
    assert torch.autograd.gradcheck(run, (vectors.requires_grad_(), *weights), fast_mode=True)
