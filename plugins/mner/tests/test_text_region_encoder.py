"""VisualBERT as a block: against its equation in plain loops, masks, gradients, and what is explained."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, VisualBertConfig, VisualBertModel

from streamproc.errors import PluginError
from streamproc_mner.nn.inputs import Inputs, PictureInputs
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.text_region_encoder import TextRegionEncoder
from streamproc_mner.nn.transformer_attention import attention_to_regions

Rows = list[list[float]]
HEADS = 2
SIZES: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}


def _block(region_width: int | None) -> TextRegionEncoder:
    torch.manual_seed(0)
    encoder = without_pooler(VisualBertModel(VisualBertConfig(visual_embedding_dim=6, **SIZES)))
    for parameter in encoder.parameters():  # biases and norms as well: fresh ones are 0 and 1
        nn.init.normal_(parameter, std=0.5)
    return TextRegionEncoder(encoder, region_width, "tiny").double().eval()


def _inputs(region_width: int = 5) -> Inputs:
    """Three posts: with three regions, with one, without a picture; 5, 3 and 2 sub-tokens."""
    torch.manual_seed(1)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    here = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    features = torch.randn(3, 3, region_width, dtype=torch.float64)
    picture = PictureInputs(features, torch.zeros(3, 3, 4), here)
    words = torch.tensor([[True, True], [True, False], [False, False]])
    return Inputs(
        ids=torch.randint(1, 20, (3, 5)) * mask,
        mask=mask,
        kinds=torch.zeros(3, 5, dtype=torch.long),
        shapes=torch.zeros(3, 5, 3, dtype=torch.long),
        firsts=torch.tensor([[1, 3], [1, 0], [0, 0]]),
        words=words,
        picture=picture,
    )


# -- the encoder in plain loops -------------------------------------------------------------


def _linear(layer: nn.Linear, x: list[float]) -> list[float]:
    return [
        sum(w * v for w, v in zip(row, x, strict=True)) + b
        for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def _normed(norm: nn.LayerNorm, x: list[float]) -> list[float]:
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    parts = zip(x, norm.weight.tolist(), norm.bias.tolist(), strict=True)
    return [(v - mean) / math.sqrt(variance + norm.eps) * w + b for v, w, b in parts]


def _plus(*vectors: list[float]) -> list[float]:
    return [sum(parts) for parts in zip(*vectors, strict=True)]


def _embedded(block: TextRegionEncoder, ids: list[int], regions: Rows) -> Rows:
    table = block.encoder.embeddings
    kinds = table.token_type_embeddings.weight.tolist()
    text = [
        _plus(
            table.word_embeddings.weight[i].tolist(), table.position_embeddings.weight[p].tolist(), kinds[0]
        )
        for p, i in enumerate(ids)
    ]
    seen = []
    for region in regions:
        fitting = region if block.region is None else _linear(block.region, region)
        place = table.visual_position_embeddings.weight[0].tolist()
        kind = table.visual_token_type_embeddings.weight[1].tolist()
        seen.append(_plus(_linear(table.visual_projection, fitting), place, kind))
    return [_normed(table.LayerNorm, x) for x in text + seen]


def _layer(layer: Any, states: Rows) -> tuple[Rows, list[Rows]]:
    """One transformer layer; its states, and its attention by head."""
    own, count = layer.attention.self, len(states)
    size = len(states[0]) // HEADS
    heads = []
    mixed: Rows = [[] for _ in states]
    queries, keys, values = ([_linear(f, x) for x in states] for f in (own.query, own.key, own.value))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        rows = []
        for i in range(count):
            products = [
                sum(q * k for q, k in zip(queries[i][part], keys[j][part], strict=True))
                for j in range(count)
            ]
            powers = [math.exp(p / math.sqrt(size)) for p in products]
            rows.append([power / sum(powers) for power in powers])
            mixed[i] += [sum(rows[i][j] * values[j][part][d] for j in range(count)) for d in range(size)]
        heads.append(rows)
    states = [
        _normed(layer.attention.output.LayerNorm, _plus(x, _linear(layer.attention.output.dense, m)))
        for x, m in zip(states, mixed, strict=True)
    ]
    inner = [
        [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in _linear(layer.intermediate.dense, x)]
        for x in states
    ]
    outer = layer.output
    return [
        _normed(outer.LayerNorm, _plus(x, _linear(outer.dense, h)))
        for x, h in zip(states, inner, strict=True)
    ], heads


def _read(block: TextRegionEncoder, inputs: Inputs, row: int) -> tuple[Rows, list[Rows]]:
    """What is there of one post, nothing masked; the states, and the last layer's attention by head."""
    assert inputs.picture is not None
    ids = inputs.ids[row][inputs.mask[row].bool()].tolist()
    states = _embedded(block, ids, inputs.picture.features[row][inputs.picture.mask[row]].tolist())
    heads: list[Rows] = []
    for layer in block.encoder.encoder.layer:
        states, heads = _layer(layer, states)
    return states[: len(ids)], heads


@pytest.mark.parametrize("width", [5, 6], ids=["another width", "the pretrained width"])
def test_states_are_those_of_the_equation(width: int) -> None:
    block, inputs = _block(width), _inputs(width)
    assert (block.region is None) == (width == 6)
    found = block(inputs).text
    for row in range(3):
        expected, _ = _read(block, inputs, row)
        torch.testing.assert_close(
            found[row, : len(expected)], torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0
        )


def test_attention_is_that_of_the_last_layer_by_word() -> None:
    block, inputs = _block(5), _inputs()
    assert block(inputs).attention is None
    attention = block(inputs, explain=True).attention
    regions, shares = attention_to_regions(attention, inputs.firsts, 3)
    sizes = [(5, 3), (3, 1), (2, 0)]  # sub-tokens and regions of each post
    for row, (length, count) in enumerate(sizes):
        _, heads = _read(block, inputs, row)
        for word in range(int(inputs.words[row].sum())):
            first = int(inputs.firsts[row, word])
            mean = [sum(head[first][length + j] for head in heads) / HEADS for j in range(count)]
            expected = [value / sum(mean) for value in mean] + [0.0] * (3 - count)
            assert regions[row, word].tolist() == pytest.approx(expected, abs=1e-6)
            assert shares[row, word].tolist() == pytest.approx([1 - sum(mean), sum(mean)], abs=1e-6)


def test_without_a_picture_no_region_is_attended_to() -> None:
    block, inputs = _block(5), _inputs()
    regions, shares = attention_to_regions(block(inputs, explain=True).attention, inputs.firsts, 3)
    assert regions[2].tolist() == [[0.0] * 3] * 2
    assert shares[2].tolist() == [[1.0, 0.0]] * 2


def test_what_stands_at_regions_that_are_not_there_means_nothing() -> None:
    block, inputs = _block(5), _inputs()
    picture = inputs.picture
    assert picture is not None
    noise = torch.where(picture.mask.unsqueeze(-1), picture.features, torch.randn(3, 3, 5).double() * 9)
    other = replace(inputs, picture=replace(picture, features=noise))
    torch.testing.assert_close(block(other).text, block(inputs).text, atol=0, rtol=0)


def test_a_batch_in_which_no_post_has_a_picture_is_read_as_text() -> None:
    block, inputs = _block(5), _inputs()
    assert inputs.picture is not None
    nothing = PictureInputs(torch.zeros(3, 1, 5).double(), torch.zeros(3, 1, 4), torch.zeros(3, 1).bool())
    unseen = block(replace(inputs, picture=nothing)).text
    torch.testing.assert_close(unseen, block(replace(inputs, picture=None)).text, atol=1e-12, rtol=0)
    torch.testing.assert_close(unseen[2, :2], block(inputs).text[2, :2], atol=1e-12, rtol=0)


def test_regions_take_no_room_from_the_text() -> None:
    block = _block(5)
    full = torch.ones(1, 16, dtype=torch.long)  # as many sub-tokens as the encoder has positions
    many = PictureInputs(torch.randn(1, 40, 5).double(), torch.zeros(1, 40, 4), torch.ones(1, 40).bool())
    shapes = torch.zeros(1, 16, 3, dtype=torch.long)
    words = torch.ones(1, 1, dtype=torch.bool)
    inputs = Inputs(full, full, full * 0, shapes, torch.ones_like(full[:, :1]), words, picture=many)
    assert block(inputs).text.shape == (1, 16, 8)


def test_gradients_reach_the_regions_that_are_there() -> None:
    block, inputs = _block(5), _inputs()
    picture = inputs.picture
    assert picture is not None

    def states(features: Tensor) -> Tensor:
        seen = replace(inputs, picture=replace(picture, features=features))
        return block(seen).text[inputs.mask.bool()].sum(dim=0)

    features = picture.features.clone().requires_grad_()
    assert torch.autograd.gradcheck(states, (features,))
    states(features)[0].backward()
    assert features.grad is not None
    assert ((features.grad.abs() > 1e-9).any(dim=-1) == picture.mask).all()


def test_another_encoder_is_refused() -> None:
    bert = BertModel(BertConfig(**SIZES), add_pooling_layer=False)
    with pytest.raises(PluginError, match=r"encoder 'b' is of the type bert, expected visual_bert: name a"):
        TextRegionEncoder(bert, None, "b")
