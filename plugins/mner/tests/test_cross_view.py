"""Cross-view alignment against the paper's sum in plain loops, with the minus sign it lacks."""

from __future__ import annotations

import pytest
import torch

from streamproc_mner.nn.cross_view import cross_view_alignment


def test_is_the_cross_entropy_of_the_views_over_words() -> None:
    torch.manual_seed(3)
    text = torch.randn(2, 3, 5).log_softmax(-1)
    image_text = torch.randn(2, 3, 5).log_softmax(-1)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = cross_view_alignment(text, image_text, mask)
    for row in range(2):
        expected = 0.0
        for i in range(3):
            if mask[row, i]:
                for y in range(5):
                    expected -= image_text[row, i, y].exp().item() * text[row, i, y].item()
        assert found[row].item() == pytest.approx(expected, abs=1e-5)


def test_only_the_text_view_learns() -> None:
    text = torch.randn(1, 2, 3, requires_grad=True)
    image_text = torch.randn(1, 2, 3, requires_grad=True)
    mask = torch.ones(1, 2, dtype=torch.bool)
    cross_view_alignment(text.log_softmax(-1), image_text.log_softmax(-1), mask).sum().backward()
    assert text.grad is not None
    assert text.grad.abs().sum() > 0
    assert image_text.grad is None


def test_is_least_where_the_views_agree() -> None:
    goal = torch.randn(1, 4, 5, dtype=torch.float64).log_softmax(-1)
    text = goal.clone().requires_grad_()
    mask = torch.ones(1, 4, dtype=torch.bool)
    cross_view_alignment(text.log_softmax(-1), goal, mask).sum().backward()
    assert text.grad is not None
    torch.testing.assert_close(text.grad, torch.zeros_like(text))
