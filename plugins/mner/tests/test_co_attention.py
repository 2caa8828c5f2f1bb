"""The blocks of AdaCAN and CAM against their equations in plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from streamproc_mner.nn.additive_attention import AdditiveAttention
from streamproc_mner.nn.co_attention import CoAttended, CoAttention
from streamproc_mner.nn.filtration_gate import FiltrationGate
from streamproc_mner.nn.gated_fusion import GatedFusion

Row = list[float]


def _dot(left: Row, right: Row) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))


def _linear(layer: torch.nn.Linear, vector: Row) -> Row:
    bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
    return [_dot(row, vector) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _attended(block: AdditiveAttention, query: Row, vectors: list[Row]) -> tuple[Row, Row]:
    """Weights of some vectors, and their sum with these weights."""
    guide = _linear(block.query, query)
    scores = []
    for vector in vectors:
        compared = [math.tanh(x + y) for x, y in zip(guide, _linear(block.key, vector), strict=True)]
        scores.append(math.exp(_linear(block.score, compared)[0]))
    weights = [score / sum(scores) for score in scores]
    sums = [_dot(weights, [vector[i] for vector in vectors]) for i in range(len(vectors[0]))]
    return weights, sums


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


WORDS_MASK = torch.tensor([[True, True, True, True], [True, True, False, False]])
CELLS_MASK = torch.tensor([[True, True, True], [True, False, False]])


@pytest.fixture
def words() -> Tensor:
    return torch.randn(2, 4, 5, dtype=torch.float64)


@pytest.fixture
def cells() -> Tensor:
    return torch.randn(2, 3, 2, dtype=torch.float64)


@pytest.fixture
def block() -> CoAttention:
    return CoAttention(5, 2, 3).double()


def test_co_attention_is_its_equations(block: CoAttention, words: Tensor, cells: Tensor) -> None:
    found = block(words, WORDS_MASK, cells, CELLS_MASK)
    for b in range(2):
        here = words[b, WORDS_MASK[b]].tolist()
        seen = cells[b, CELLS_MASK[b]].tolist()
        for t, word in enumerate(here):
            image_weights, image = _attended(block.visual, word, seen)
            word_weights, text = _attended(block.textual, image, here)
            assert found.image[b, t].tolist() == pytest.approx(image)
            assert found.words[b, t].tolist() == pytest.approx(text)
            assert found.image_weights[b, t, : len(seen)].tolist() == pytest.approx(image_weights)
            assert found.word_weights[b, t, : len(here)].tolist() == pytest.approx(word_weights)


def test_what_is_masked_does_not_count(block: CoAttention, words: Tensor, cells: Tensor) -> None:
    def run() -> CoAttended:
        return block(words, WORDS_MASK, cells, CELLS_MASK)

    before = run()
    words[~WORDS_MASK] = 7.0
    cells[~CELLS_MASK] = -7.0
    after = run()
    torch.testing.assert_close(after.image[WORDS_MASK], before.image[WORDS_MASK])
    torch.testing.assert_close(after.words[WORDS_MASK], before.words[WORDS_MASK])
    assert not after.image_weights[1, :, 1:].any()
    assert not after.word_weights[1, :, 2:].any()


def test_words_look_at_different_cells_and_words(block: CoAttention, words: Tensor, cells: Tensor) -> None:
    found = block(words * 3, WORDS_MASK, cells * 3, CELLS_MASK)
    for weights in (found.image_weights[0], found.word_weights[0]):
        assert (weights[0] - weights[1]).abs().max() > 1e-3


def test_without_a_picture_nothing_is_seen_and_words_are_still_read(
    block: CoAttention, words: Tensor, cells: Tensor
) -> None:
    found = block(words, WORDS_MASK, cells, torch.zeros_like(CELLS_MASK))
    assert not found.image.any()
    _, text = _attended(block.textual, [0.0, 0.0], words[0].tolist())
    assert found.words[0, 1].tolist() == pytest.approx(text)


def test_gradients_of_co_attention(block: CoAttention, words: Tensor, cells: Tensor) -> None:
    masks = (
        torch.tensor([[True, True, False, False], [False] * 4]),
        torch.tensor([[True] * 3, [False] * 3]),
    )

    def run(words: Tensor, cells: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        found = block(words, masks[0], cells, masks[1])
        return found.image, found.words

    inputs = (words.requires_grad_(), cells.requires_grad_(), *block.parameters())
    assert torch.autograd.gradcheck(run, inputs)


def test_gated_fusion_is_its_equations() -> None:
    block = GatedFusion(2, 3, 4).double()
    image, words = torch.randn(2, 3, 2, dtype=torch.float64), torch.randn(2, 3, 3, dtype=torch.float64)
    fused, gate = block(image, words)
    for b in range(2):
        for t in range(3):
            x = [math.tanh(value) for value in _linear(block.image, image[b, t].tolist())]
            y = [math.tanh(value) for value in _linear(block.words, words[b, t].tolist())]
            g = _sigmoid(_linear(block.gate, x + y)[0])
            assert gate[b, t].tolist() == pytest.approx([g])
            assert fused[b, t].tolist() == pytest.approx(
                [g * i + (1 - g) * j for i, j in zip(x, y, strict=True)]
            )


def test_gradients_of_gated_fusion() -> None:
    block = GatedFusion(2, 3, 2).double()
    image = torch.randn(1, 2, 2, dtype=torch.float64, requires_grad=True)
    words = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda i, w, *_: block(i, w), (image, words, *block.parameters()))


def test_the_filtration_gate_is_its_equations_and_shut_without_a_picture() -> None:
    block = FiltrationGate(3, 2).double()
    words, fused = torch.randn(2, 3, 3, dtype=torch.float64), torch.randn(2, 3, 2, dtype=torch.float64)
    kept, gate = block(words, fused, torch.tensor([True, False]))
    for t in range(3):
        h, m = words[0, t].tolist(), fused[0, t].tolist()
        s = _sigmoid(_linear(block.gate_of_words, h)[0] + _linear(block.gate_of_fused, m)[0])
        assert gate[0, t].tolist() == pytest.approx([s])
        assert kept[0, t].tolist() == pytest.approx([s * math.tanh(x) for x in _linear(block.kept, m)])
    assert not gate[1].any()
    assert not kept[1].any()


def test_gradients_of_the_filtration_gate() -> None:
    block = FiltrationGate(3, 2).double()
    words = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    fused = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    seen = torch.tensor([True, False])
    assert torch.autograd.gradcheck(lambda w, m, *_: block(w, m, seen), (words, fused, *block.parameters()))
