"""Typing and segmentation against their sums in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.auxiliary_tasks import TypingAndSegmentation
from streamproc_mner.nn.crf import UNKNOWN

LABELS = bio_labels(["PER", "LOC"])
GOLD = torch.tensor([[0, 1, 2, UNKNOWN], [3, UNKNOWN, 0, 0], [0, 0, 0, 0]])
MASK = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])


@pytest.fixture
def tasks() -> TypingAndSegmentation:
    torch.manual_seed(0)
    return TypingAndSegmentation(LABELS, 6).double()


@pytest.fixture
def states() -> Tensor:
    return torch.randn(3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _row(layer: torch.nn.Linear, state: list[float]) -> list[float]:
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [bias + sum(w * s for w, s in zip(weight, state, strict=True)) for weight, bias in rows]


def test_it_is_the_sum_of_both_losses_over_words_whose_label_is_known(
    tasks: TypingAndSegmentation, states: Tensor
) -> None:
    found = tasks(states, GOLD, MASK)
    for row in range(3):
        expected = 0.0
        for place in range(4):
            label = int(GOLD[row, place])
            if MASK[row, place] and label != UNKNOWN:
                scores = _row(tasks.typing, states[row, place].tolist())
                expected += math.log(sum(map(math.exp, scores))) - scores[label]
                (score,) = _row(tasks.segmentation, states[row, place].tolist())
                inside = 1 / (1 + math.exp(-score))
                expected -= math.log(inside if LABELS[label] != "O" else 1 - inside)
        assert found[row].item() == pytest.approx(expected, abs=1e-9)


def test_gradients_are_right(tasks: TypingAndSegmentation, states: Tensor) -> None:
    assert torch.autograd.gradcheck(lambda read: tasks(read, GOLD, MASK), states.requires_grad_())


def test_both_heads_learn(tasks: TypingAndSegmentation, states: Tensor) -> None:
    tasks(states, GOLD, MASK).sum().backward()
    for name, parameter in tasks.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, name
