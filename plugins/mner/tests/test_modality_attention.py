"""Modality attention against Moon's equations 4 and 5 in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from streamproc_mner.nn.modality_attention import ModalityAttention

WIDTH = 4


@pytest.fixture
def attention() -> ModalityAttention:
    torch.manual_seed(0)
    attention = ModalityAttention(3, WIDTH).double()
    torch.nn.init.normal_(attention.scores.weight)
    return attention


@pytest.fixture
def vectors() -> Tensor:
    return torch.randn(2, 5, 3, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _expected(
    attention: ModalityAttention, modalities: list[list[float]], there: list[int]
) -> tuple[list[float], list[float]]:
    """x_t and alpha_t of those modalities that are there, which alone are multiplied with W_m."""
    weight, bias = attention.scores.weight.tolist(), attention.scores.bias.tolist()
    scores = []
    for m in there:
        a = bias[m]
        for other in there:
            for d in range(WIDTH):
                a += weight[m][other * WIDTH + d] * modalities[other][d]
        scores.append(1 / (1 + math.exp(-a)))
    total = sum(math.exp(a) for a in scores)
    alpha = [math.exp(a) / total for a in scores]
    mixed = [sum(w * modalities[m][d] for w, m in zip(alpha, there, strict=True)) for d in range(WIDTH)]
    return mixed, alpha


@pytest.mark.parametrize("there", [[0, 1, 2], [0, 1], [1]], ids=["eq. 4", "eq. 5", "one is left"])
def test_it_weighs_the_modalities_that_are_there(
    attention: ModalityAttention, vectors: Tensor, there: list[int]
) -> None:
    present = torch.tensor([[True, True, True], [m in there for m in range(3)]])
    mixed, weights = attention(vectors, present)
    for row, modalities in enumerate([[0, 1, 2], there]):
        for place in range(5):
            expected, alpha = _expected(attention, vectors[row, place].tolist(), modalities)
            assert mixed[row, place].tolist() == pytest.approx(expected, abs=1e-10)
            assert weights[row, place, modalities].tolist() == pytest.approx(alpha, abs=1e-10)
    assert weights[1].sum(dim=-1).tolist() == pytest.approx([1.0] * 5)


def test_what_stands_for_an_absent_modality_does_not_matter(
    attention: ModalityAttention, vectors: Tensor
) -> None:
    present = torch.tensor([[True, True, False]] * 2)
    other = vectors.clone()
    other[:, :, 2] = torch.nan
    for found, expected in zip(attention(other, present), attention(vectors, present), strict=True):
        torch.testing.assert_close(found, expected)


def test_gradients_are_right_where_a_modality_is_absent(
    attention: ModalityAttention, vectors: Tensor
) -> None:
    present = torch.tensor([[True, True, True], [True, False, False]])
    assert torch.autograd.gradcheck(lambda read: attention(read, present), vectors.requires_grad_())
