"""The visual gate against yu2020-umt eq. 3 in plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from streamproc_mner.nn.visual_gate import VisualGate

WIDTH = 3


@pytest.fixture
def gate() -> VisualGate:
    torch.manual_seed(0)
    return VisualGate(WIDTH).double()


def test_is_eq_3_element_by_element(gate: VisualGate) -> None:
    words, pictures = torch.randn(2, 2, 4, WIDTH, dtype=torch.float64).unbind()
    gated, opened = gate(words, pictures)
    of_words, bias, of_pictures = (
        part.tolist() for part in (gate.words.weight, gate.words.bias, gate.pictures.weight)
    )
    for row in range(2):
        for place in range(4):
            for j in range(WIDTH):
                score = bias[j]
                for i in range(WIDTH):
                    score += of_words[j][i] * words[row, place, i].item()
                    score += of_pictures[j][i] * pictures[row, place, i].item()
                share = 1 / (1 + math.exp(-score))
                assert opened[row, place, j].item() == pytest.approx(share, abs=1e-12)
                expected = share * pictures[row, place, j].item()
                assert gated[row, place, j].item() == pytest.approx(expected, abs=1e-12)


def test_gradients(gate: VisualGate) -> None:
    given = torch.randn(2, 1, 2, WIDTH, dtype=torch.float64).unbind()
    assert torch.autograd.gradcheck(gate, tuple(x.clone().requires_grad_() for x in given))
