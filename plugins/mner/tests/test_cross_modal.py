"""Cross-modal layers against yu2020-umt eq. 1 and 2 in plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from streamproc_mner.nn.cross_modal import CrossModalLayer, ImageAwareWords

WIDTH, HEADS, INNER = 6, 3, 5
Floats = NDArray[np.float64]


def _layer(seed: int = 0) -> CrossModalLayer:
    """A layer in double precision, with biases and norms that are not 0 and 1."""
    torch.manual_seed(seed)
    layer = CrossModalLayer(WIDTH, HEADS, INNER, dropout=0.0).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.7)
    return layer


def _affine(linear: nn.Module, vector: Floats) -> Floats:
    weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    return np.array([sum(w * x for w, x in zip(row, vector, strict=True)) for row in weight]) + bias


def _norm(norm: nn.LayerNorm, vector: Floats) -> Floats:
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    scaled = (vector - mean) / math.sqrt(variance + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def _gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def _by_the_equations(layer: CrossModalLayer, queries: Floats, keys: Floats) -> tuple[Floats, Floats]:
    """P (Q, d) and the attention (Q, K), mean over heads, of one post without padding."""
    weights = layer.attention.in_proj_weight.detach().numpy()
    biases = layer.attention.in_proj_bias.detach().numpy()

    def project(part: int, vector: Floats) -> Floats:
        rows = slice(part * WIDTH, (part + 1) * WIDTH)
        return np.array([sum(row * vector) for row in weights[rows]]) + biases[rows]

    size = WIDTH // HEADS
    result, attention = [], np.zeros((len(queries), len(keys)))
    for place, query in enumerate(queries):
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            asked = project(0, query)[part]
            scores = [sum(asked * project(1, key)[part]) / math.sqrt(size) for key in keys]
            odds = [math.exp(score) for score in scores]
            shares = [odd / sum(odds) for odd in odds]
            attention[place] += np.array(shares) / HEADS
            heads.append(
                sum(share * project(2, key)[part] for share, key in zip(shares, keys, strict=True))
            )
        attended = _affine(layer.attention.out_proj, np.concatenate(heads))
        middle = _norm(layer.attention_norm, query + attended)
        first, _, second = layer.feed_forward
        inner = np.array([_gelu(x) for x in _affine(first, middle)])
        result.append(_norm(layer.feed_forward_norm, middle + _affine(second, inner)))
    return np.array(result), attention


def _random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("explain", [False, True])
def test_is_eq_1_and_2_over_the_keys_that_are_there(explain: bool) -> None:
    layer = _layer()
    queries, keys = _random(2, 4, WIDTH), _random(2, 5, WIDTH, seed=2)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    found, attention = layer(queries, keys, mask, explain=explain)
    for row, count in enumerate((5, 2)):
        expected, weights = _by_the_equations(layer, queries[row].numpy(), keys[row, :count].numpy())
        np.testing.assert_allclose(found[row].detach().numpy(), expected, atol=1e-9)
        if explain:
            np.testing.assert_allclose(attention[row, :, :count].detach().numpy(), weights, atol=1e-9)
            assert not attention[row, :, count:].any()
    assert (attention is not None) == explain


def test_of_a_sequence_over_itself_it_is_a_transformer_layer() -> None:
    """In evaluation without gradients, where torch has a faster way, the result is the same."""
    layer = _layer().eval()
    words = _random(1, 4, WIDTH)
    mask = torch.ones(1, 4, dtype=torch.bool)
    expected, _ = _by_the_equations(layer, words[0].numpy(), words[0].numpy())
    with torch.inference_mode():
        found, _ = layer(words, words, mask)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


def test_image_aware_words_are_coupled_layers() -> None:
    over_words, over_cells = _layer(3), _layer(4)
    words, cells = _random(1, 3, WIDTH), _random(1, 5, WIDTH, seed=2)
    seen, _ = _by_the_equations(over_words, cells[0].numpy(), words[0].numpy())
    expected, weights = _by_the_equations(over_cells, words[0].numpy(), seen)
    block = ImageAwareWords(over_words, over_cells)
    masks = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 5, dtype=torch.bool)
    found, attention = block(words, masks[0], cells, masks[1], explain=True)
    np.testing.assert_allclose(found[0].detach().numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(attention[0].detach().numpy(), weights, atol=1e-9)


def test_image_aware_words_do_not_see_padding() -> None:
    block = ImageAwareWords(_layer(3), _layer(4))
    words, cells = _random(1, 4, WIDTH), _random(1, 5, WIDTH, seed=2)
    word_mask = torch.tensor([[True, True, True, False]])
    cell_mask = torch.tensor([[True, True, False, False, False]])
    padded, _ = block(words, word_mask, cells, cell_mask)
    alone, _ = block(words[:, :3], word_mask[:, :3], cells[:, :2], cell_mask[:, :2])
    torch.testing.assert_close(padded[:, :3], alone)


def test_gradients() -> None:
    block = ImageAwareWords(_layer(3), _layer(4))
    words, cells = _random(2, 3, WIDTH).requires_grad_(), _random(2, 2, WIDTH, seed=2).requires_grad_()
    word_mask = torch.tensor([[True, True, True], [True, False, False]])
    cell_mask = torch.tensor([[True, True], [True, False]])
    assert torch.autograd.gradcheck(
        lambda *given: block(given[0], word_mask, given[1], cell_mask)[0], (words, cells)
    )
