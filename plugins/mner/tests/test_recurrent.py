"""The BiLSTM over padded rows against torch's bidirectional LSTM on each row alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from streamproc_mner.nn.recurrent import BiLstm

LENGTHS = (3, 0, 5, 1)


@pytest.fixture
def lstm() -> BiLstm:
    torch.manual_seed(0)
    return BiLstm(4, 3).double()


@pytest.fixture
def vectors() -> Tensor:
    return torch.randn(len(LENGTHS), 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask() -> Tensor:
    return torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1)


def both_ways(lstm: BiLstm) -> nn.LSTM:
    """torch's own bidirectional LSTM with the same weights."""
    inputs, hidden = lstm.forwards.input_size, lstm.forwards.hidden_size
    one = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True).to(lstm.forwards.weight_ih_l0.dtype)
    weights = dict(lstm.forwards.named_parameters())
    weights |= {f"{name}_reverse": weight for name, weight in lstm.backwards.named_parameters()}
    one.load_state_dict(weights)
    return one


def test_each_row_is_read_as_if_it_were_alone(lstm: BiLstm, vectors: Tensor, mask: Tensor) -> None:
    states, ends = lstm(vectors, mask), lstm.ends(vectors, mask)
    assert states.shape == (4, 5, lstm.width)
    for row, length in enumerate(LENGTHS):
        if length:
            expected, (last, _) = both_ways(lstm)(vectors[row : row + 1, :length])
            torch.testing.assert_close(states[row, :length], expected[0])
            torch.testing.assert_close(ends[row], torch.cat([last[0, 0], last[1, 0]]))


def test_padding_and_rows_of_nothing_else_are_zero(lstm: BiLstm, vectors: Tensor, mask: Tensor) -> None:
    assert (lstm(vectors, mask)[~mask] == 0).all()
    assert (lstm.ends(vectors, mask)[LENGTHS.index(0)] == 0).all()


def test_what_stands_at_padding_does_not_matter(lstm: BiLstm, vectors: Tensor, mask: Tensor) -> None:
    other = vectors.masked_fill(~mask.unsqueeze(-1), 1e6)
    torch.testing.assert_close(lstm(other, mask), lstm(vectors, mask))
    torch.testing.assert_close(lstm.ends(other, mask), lstm.ends(vectors, mask))


def test_gradients_are_right(lstm: BiLstm, vectors: Tensor, mask: Tensor) -> None:
    assert torch.autograd.gradcheck(
        lambda read: (lstm(read, mask), lstm.ends(read, mask)), vectors.requires_grad_()
    )
