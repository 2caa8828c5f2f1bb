"""The blocks of GVATT and VAM against their equations in plain loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from streamproc_mner.nn import additive_attention
from streamproc_mner.nn.additive_attention import AdditiveAttention
from streamproc_mner.nn.masked_softmax import masked_softmax
from streamproc_mner.nn.modulation_gate import ModulationGate
from streamproc_mner.nn.text_query import TextQuery

Row = list[float]


def _times(matrix: Tensor, vector: Sequence[float]) -> Row:
    return [sum(w * x for w, x in zip(row, vector, strict=True)) for row in matrix.tolist()]


def _plus(*vectors: Sequence[float]) -> Row:
    return [sum(parts) for parts in zip(*vectors, strict=True)]


def _sigmoid(vector: Sequence[float]) -> Row:
    return [1 / (1 + math.exp(-x)) for x in vector]


def _tanh(vector: Sequence[float]) -> Row:
    return [math.tanh(x) for x in vector]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_a_masked_softmax_is_one_over_the_named_entries() -> None:
    scores = torch.randn(5, 7, dtype=torch.float64) * 5
    mask = torch.rand(5, 7) < 0.5
    mask[2], mask[3] = False, True
    weights = masked_softmax(scores, mask)
    for row, named, found in zip(scores.tolist(), mask.tolist(), weights.tolist(), strict=True):
        total = sum(math.exp(s) for s, here in zip(row, named, strict=True) if here)
        assert found == pytest.approx(
            [math.exp(s) / total if here else 0.0 for s, here in zip(row, named, strict=True)]
        )


def test_a_softmax_over_nothing_is_nothing_and_has_no_gradient() -> None:
    scores = torch.randn(2, 3, requires_grad=True)
    weights = masked_softmax(scores, torch.tensor([[False] * 3, [True, True, False]]))
    assert weights[0].tolist() == [0.0] * 3
    (weights * torch.randn(2, 3)).sum().backward()
    assert scores.grad is not None
    assert scores.grad[0].tolist() == [0.0] * 3
    assert scores.grad[1].isfinite().all()
    assert scores.grad[1, :2].abs().min() > 0


def test_a_softmax_of_short_floats_is_taken_in_float32() -> None:
    scores = torch.tensor([[300.0, 299.0]], dtype=torch.bfloat16)
    weights = masked_softmax(scores, torch.ones(1, 2, dtype=torch.bool))
    assert weights.dtype == torch.float32
    assert weights.sum().item() == pytest.approx(1.0)


def _attend(block: AdditiveAttention, query: Row, keys: list[Row], mask: list[bool]) -> Row:
    """softmax_k(w . tanh(W_q q + b + W_k x_k)) over the named vectors."""
    guide = _plus(_times(block.query.weight, query), block.query.bias.tolist())
    scores = [
        _times(block.score.weight, _tanh(_plus(guide, _times(block.key.weight, key))))[0] for key in keys
    ]
    total = sum(math.exp(score) for score, here in zip(scores, mask, strict=True) if here)
    return [math.exp(s) / total if here else 0.0 for s, here in zip(scores, mask, strict=True)]


@pytest.mark.parametrize("at_once", [1, 2**25], ids=["blocks of one query", "one block"])
def test_additive_attention_is_its_equation(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(additive_attention, "_AT_ONCE", at_once)
    block = AdditiveAttention(4, 3, 5).double()
    queries = torch.randn(3, 2, 4, dtype=torch.float64)
    keys = torch.randn(3, 6, 3, dtype=torch.float64)
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4, [False] * 6])
    weights = block(queries, keys, mask)
    for b in range(3):
        for q in range(2):
            expected = [0.0] * 6
            if mask[b].any():
                expected = _attend(block, queries[b, q].tolist(), keys[b].tolist(), mask[b].tolist())
            assert weights[b, q].tolist() == pytest.approx(expected)


def test_queries_differ_in_what_they_attend_to() -> None:
    block = AdditiveAttention(4, 3, 5)
    weights = block(torch.randn(1, 2, 4) * 3, torch.randn(1, 6, 3), torch.ones(1, 6, dtype=torch.bool))
    assert (weights[0, 0] - weights[0, 1]).abs().max() > 1e-3


def test_gradients_of_additive_attention() -> None:
    block = AdditiveAttention(3, 2, 4).double()
    mask = torch.tensor([[True, True, False], [False, False, False]])
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    parameters = tuple(block.parameters())

    def run(queries: Tensor, keys: Tensor, *_: Tensor) -> Tensor:
        return block(queries, keys, mask)

    assert torch.autograd.gradcheck(run, (queries, keys, *parameters))


def _last_state(block: TextQuery, words: list[Row]) -> Row:
    """The equations of an LSTM, one word after the other."""
    lstm = block.lstm
    size = lstm.hidden_size
    state, cell = [0.0] * size, [0.0] * size
    for word in words:
        gates = _plus(
            _times(lstm.weight_ih_l0, word),
            lstm.bias_ih_l0.tolist(),
            _times(lstm.weight_hh_l0, state),
            lstm.bias_hh_l0.tolist(),
        )
        inlet, forget = _sigmoid(gates[:size]), _sigmoid(gates[size : 2 * size])
        new, outlet = _tanh(gates[2 * size : 3 * size]), _sigmoid(gates[3 * size :])
        cell = [f * c + i * n for f, c, i, n in zip(forget, cell, inlet, new, strict=True)]
        state = [o * math.tanh(c) for o, c in zip(outlet, cell, strict=True)]
    return state


def test_a_texts_query_is_the_state_after_its_last_word() -> None:
    block = TextQuery(3, 4).double()
    words = torch.randn(3, 5, 3, dtype=torch.float64)
    mask = torch.arange(5) < torch.tensor([[5], [2], [4]])
    query = block(words, mask)
    for b, length in enumerate((5, 2, 4)):
        assert query[b].tolist() == pytest.approx(_last_state(block, words[b, :length].tolist()))


def test_a_text_without_words_has_a_query() -> None:
    block = TextQuery(3, 4)
    query = block(torch.zeros(2, 1, 3), torch.tensor([[False], [True]]))
    assert query.isfinite().all()
    torch.testing.assert_close(query[0], query[1])


def test_the_modulation_gate_is_its_equations() -> None:
    block = ModulationGate(3, 2).double()
    words, image = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)
    fused, word_gate, image_gate = block(words, image)
    for b in range(2):
        for t in range(4):
            h, v = words[b, t].tolist(), image[b].tolist()
            parts = [
                _plus(_times(w, h), bias.tolist(), _times(u, v))
                for w, bias, u in zip(
                    block.of_words.weight.chunk(3),
                    block.of_words.bias.chunk(3),
                    block.of_image.weight.chunk(3),
                    strict=True,
                )
            ]
            beta_w, beta_v, m = _sigmoid(parts[0]), _sigmoid(parts[1]), _tanh(parts[2])
            expected = [bw * x + bv * y for bw, x, bv, y in zip(beta_w, h, beta_v, m, strict=True)]
            assert fused[b, t].tolist() == pytest.approx(expected)
            assert word_gate[b, t].tolist() == pytest.approx(beta_w)
            assert image_gate[b, t].tolist() == pytest.approx(beta_v)


def test_gradients_of_the_modulation_gate() -> None:
    block = ModulationGate(2, 3).double()
    words = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    image = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def run(words: Tensor, image: Tensor, *_: Tensor) -> Tensor:
        fused: Tensor = block(words, image)[0]
        return fused

    assert torch.autograd.gradcheck(run, (words, image, *block.parameters()))
