"""The network: its equations put together, both losses, pictures that are not there, no dead part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModel

from streamproc.errors import PluginError
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Output, Parts
from streamproc_umt.tagger import UmtSettings, UmtTagger

Make = Callable[..., UmtTagger]

TEXTS = ("kevin durant in paris", "ox", "zebra at the stadium of london tonight", "nasa news")
PICTURES = (0, 1, None, 2)


@pytest.fixture
def batch(view: Callable[..., Inputs]) -> Inputs:
    """Posts with pictures and one without, of different lengths."""
    return view(*zip(TEXTS, PICTURES, strict=True))


@torch.no_grad()
def _output(network: UmtTagger, inputs: Inputs) -> Output:
    output: Output = network(inputs, explain=True)
    return output


def _by_the_equations(network: UmtTagger, inputs: Inputs, row: int) -> Tensor:
    """(S, Y) emissions of one post, from its blocks, without padding."""
    settings = network.settings
    assert isinstance(settings, UmtSettings)
    ids = inputs.ids[row : row + 1, : int(inputs.mask[row].sum())]
    picture = inputs.picture
    assert picture is not None
    cells = network.cells.project(picture.features[row : row + 1])
    if not bool(picture.seen[row]):
        cells = network.cells.absent.view(1, 1, -1)
    here = torch.ones_like(ids, dtype=torch.bool)
    there = torch.ones_like(cells[..., 0], dtype=torch.bool)
    encoded = network.encoder(input_ids=ids).last_hidden_state
    words, _ = network.text(encoded, encoded, here)
    aware = words
    if settings.image_aware:
        assert network.image_aware is not None
        seen_words, _ = network.image_aware.over_words(cells, words, here)
        aware, _ = network.image_aware.over_cells(words, seen_words, there)
    seen, _ = network.word_aware(words, cells, there)
    if settings.visual_gate:
        gate = network.gate
        assert gate is not None
        seen = torch.sigmoid(gate.words(aware) + gate.pictures(seen)) * seen
    split = aware.shape[-1]
    weight = network.output.weight
    emissions = aware @ weight[:, :split].T + seen @ weight[:, split:].T + network.output.bias
    if "conversion" in settings.span_detection:
        assert network.spans is not None
        assert network.conversion is not None
        spans, _ = network.spans.layer(encoded, encoded, here)
        emissions = emissions + network.spans.output(spans) @ network.conversion.weight
    return emissions[0]


@torch.no_grad()
def test_a_words_emissions_are_the_papers_of_its_first_sub_token(
    make: Make, batch: Inputs, variant: dict[str, Any]
) -> None:
    network = make(**variant)
    found = _output(network, batch).emissions
    assert found.shape == (len(TEXTS), 7, 5)
    assert found.dtype is torch.float32
    for row in range(len(TEXTS)):
        expected = _by_the_equations(network, batch, row)[:, :5]
        for word in range(int(batch.words[row].sum())):
            place = int(batch.firsts[row, word])
            torch.testing.assert_close(found[row, word], expected[place], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("labels", ["first", "pad-as-authors"])
def test_the_loss_weighs_both_tasks(make: Make, batch: Inputs, labels: str) -> None:
    network = make(span_detection="auxiliary", span_weight=0.25, labels=labels)
    alone = make(span_detection="auxiliary", span_weight=0.0, labels=labels)
    gold = torch.arange(batch.words.numel()).view(batch.words.shape) % 5
    gold[0, 1] = UNKNOWN
    assert network.spans is not None
    encoded = network.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    emissions = network.spans(encoded, batch.mask.bool())
    spans = -network.spans.log_likelihood(emissions, gold, batch).mean()
    main = alone.loss(batch, gold)
    torch.testing.assert_close(network.loss(batch, gold), main + 0.25 * spans)
    if labels == "first":
        output = network(batch)
        of_words = -network.crf.log_likelihood(output.emissions, gold, batch.words).mean()
        torch.testing.assert_close(main, of_words)


def test_every_part_learns(make: Make, batch: Inputs, variant: dict[str, Any]) -> None:
    network = make(**variant)
    gold = torch.arange(batch.words.numel()).view(batch.words.shape) % 5
    network.loss(batch, gold).backward()
    asleep = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    still = [name for name, p in network.named_parameters() if p.grad is not None and not p.grad.any()]
    assert (asleep, still) == ([], [])


def test_a_post_is_read_the_same_alone_and_beside_others(
    make: Make, view: Callable[..., Inputs], batch: Inputs, variant: dict[str, Any]
) -> None:
    network = make(**variant)
    together = _output(network, batch)
    for row, post in enumerate(zip(TEXTS, PICTURES, strict=True)):
        alone = _output(network, view(post))
        count = alone.emissions.shape[1]
        torch.testing.assert_close(together.emissions[row, :count], alone.emissions[0], atol=1e-4, rtol=0)
        if together.joined is not None and alone.joined is not None:
            assert torch.equal(together.joined[row, :count], alone.joined[0])


def test_a_picture_changes_what_is_said_of_its_own_post_alone(
    make: Make, view: Callable[..., Inputs], batch: Inputs
) -> None:
    network = make()
    other = view(*zip(TEXTS, (0, 7, None, None), strict=True))
    change = (_output(network, batch).emissions - _output(network, other).emissions).abs().amax(dim=(1, 2))
    assert (change > 1e-3).tolist() == [False, True, False, True]
    assert change[[0, 2]].max() < 1e-4


def test_without_a_picture_the_learned_cell_is_all_that_is_seen(
    make: Make, view: Callable[..., Inputs]
) -> None:
    network = make()
    inputs = view(("paris", None), ("ox", 0))
    assert inputs.picture is not None
    before = _output(network, inputs).emissions
    inputs.picture.features[0] = 50.0  # what stands at padding is not read
    torch.testing.assert_close(_output(network, inputs).emissions, before)
    with torch.no_grad():
        network.cells.absent += 1.0
    change = (_output(network, inputs).emissions - before).abs().amax(dim=(1, 2))
    assert change[0] > 1e-3
    assert change[1] == 0


def test_without_any_pictures_it_is_the_same(make: Make, view: Callable[..., Inputs]) -> None:
    network = make()
    inputs = view(("paris", None), ("ox at noon", None))
    blind = Inputs(inputs.ids, inputs.mask, inputs.kinds, inputs.shapes, inputs.firsts, inputs.words)
    torch.testing.assert_close(_output(network, blind).emissions, _output(network, inputs).emissions)


def test_a_window_without_words_has_finite_emissions(
    make: Make, view: Callable[..., Inputs], variant: dict[str, Any]
) -> None:
    network = make(**variant)
    for posts in ([("", None)], [("", 0), ("paris ox", None)]):
        inputs = view(*posts)
        output = _output(network, inputs)
        assert output.emissions.isfinite().all()
        assert all(told.values.isfinite().all() for told in output.weights.values())


def test_what_is_explained_depends_on_the_parts(make: Make, batch: Inputs, variant: dict[str, Any]) -> None:
    network = make(**variant)
    output = _output(network, batch)
    expected = ["word-aware visual attention"]
    expected += ["image-aware word attention"] * network.settings.image_aware
    expected += ["visual gate"] * network.settings.visual_gate
    assert list(output.weights) == expected
    for told in output.weights.values():
        if told.over == "cells":
            assert told.values.shape == (*batch.words.shape, 49)
            torch.testing.assert_close(told.values.sum(dim=-1), torch.ones(batch.words.shape))
        else:
            assert (told.over, told.columns, told.values.shape) == (
                "gates",
                ("image",),
                (*batch.words.shape, 1),
            )
            assert told.values.min() > 0
            assert told.values.max() < 1
    assert network(batch).weights == {}


def test_the_visual_attention_is_that_of_the_words_over_the_cells(make: Make, batch: Inputs) -> None:
    """A cell whose key a word's query favours most has its greatest weight."""
    network = make()
    attention = _output(network, batch).weights["word-aware visual attention"].values
    with torch.no_grad():
        hidden = network.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        words, _ = network.text(hidden, hidden, batch.mask.bool())
        assert batch.picture is not None
        keys = network.cells.project(batch.picture.features)
        block = network.word_aware.attention
        weight, bias = block.in_proj_weight.chunk(3), block.in_proj_bias.chunk(3)
        asked = (words @ weight[0].T + bias[0]).unflatten(-1, (4, 8))
        told = (keys @ weight[1].T + bias[1]).unflatten(-1, (4, 8))
        scores = torch.einsum("bshd,bnhd->bhsn", asked, told) / 8**0.5
        expected = scores.softmax(dim=-1).mean(dim=1)
    for row in (0, 1, 3):
        places = batch.firsts[row, batch.words[row]]
        torch.testing.assert_close(attention[row, batch.words[row]], expected[row, places])


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(make: Make, batch: Inputs, precision: torch.dtype) -> None:
    network = make()
    expected = _output(network, batch).emissions
    with torch.autocast("cpu", dtype=precision):
        found = _output(network, batch).emissions
        loss = network.loss(batch, torch.zeros(batch.words.shape, dtype=torch.int64))
    assert found.dtype is torch.float32
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found[batch.words], expected[batch.words], atol=0.4, rtol=0.1)
    assert loss.dtype is torch.float32
    assert loss.isfinite()


def test_heads_that_do_not_divide_the_encoders_width_are_refused(tiny_encoder: Path) -> None:
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
    with pytest.raises(PluginError, match="heads: 12 do not divide the encoder's width of 32"):
        UmtTagger(UmtSettings(), bio_labels(["PER"]), parts)
