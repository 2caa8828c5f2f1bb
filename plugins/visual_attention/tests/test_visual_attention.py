"""The plugin `visual-attention` on tiny saved models, over a transformer and over a BiLSTM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from plugins.saved_families import LABELS, TEXTS, first_windows, save_random
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc.testing.visuals import example_value
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import load_tagger
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_visual_attention.plugin import VisualAttention
from streamproc_visual_attention.tagger import VisualAttentionTagger

WIDTH = 6
TINY = {"picture_width": WIDTH, "query_width": 7, "attention_width": 5}
BILSTM = {
    "kind": "bilstm",
    "word_width": 8,
    "characters": "lstm",
    "character_width": 4,
    "character_hidden": 3,
    "hidden": 6,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "transformer": {**TINY, "text": {"kind": "transformer", "encoder": "tiny"}},
    "bilstm": {**TINY, "text": BILSTM},
}


def _seen(seed: int, width: int = WIDTH) -> dict[Any, Any]:
    return {"grid": Seen((example_value("grid", seed, width),))}


POSTS = [
    FusionInput(TEXTS[0], visuals=_seen(1)),
    FusionInput(TEXTS[0], visuals={"grid": Missing("absent")}),
    FusionInput(TEXTS[1], visuals=_seen(2)),
    FusionInput(TEXTS[2], visuals=_seen(3)),
    FusionInput("\u200b", visuals=_seen(4)),
]


@pytest.fixture(scope="module", params=VARIANTS)
def folder(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A saved random network."""
    folder = tmp_path_factory.mktemp(request.param)
    return save_random(
        VisualAttentionTagger, VARIANTS[request.param], "visual-attention", tiny_encoder, folder
    )


@pytest.fixture
def network(folder: Path) -> VisualAttentionTagger:
    return load_tagger(read_model(folder, "model.safetensors"), VisualAttentionTagger)


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return _load(folder)


def _load(folder: Path, **config: object) -> TaggerModel:
    return VisualAttention(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: TaggerModel) -> None:
    check(model)


def test_it_is_found_by_its_name_and_reads_the_grid(model: TaggerModel) -> None:
    assert find_plugin("visual-attention") is VisualAttention
    assert model.modalities == {"grid": Need.OPTIONAL}
    assert model.widths == {"grid": WIDTH}


def test_the_picture_changes_what_a_post_is_given(model: TaggerModel) -> None:
    one, none, other = model.tag([POSTS[0], POSTS[1], FusionInput(TEXTS[0], visuals=_seen(2))])
    for left, right in ((one, none), (one, other)):
        assert np.abs(np.subtract(left.confidence, right.confidence)).max() > 1e-3


def test_emissions_are_those_of_the_papers_steps(folder: Path, network: VisualAttentionTagger) -> None:
    inputs = first_windows(folder, network, POSTS[:1])
    assert inputs.picture is not None
    with torch.no_grad():
        (h,) = network.text(inputs)
        (u,) = inputs.picture.features
        v = u @ network.cells.project.weight.T + network.cells.project.bias
        _, (state, _) = network.query.lstm(h.unsqueeze(0))
        ask = network.attention
        guide = ask.query.weight @ state[0, 0] + ask.query.bias
        a = torch.softmax(torch.tanh(guide + v @ ask.key.weight.T) @ ask.score.weight[0], dim=0)
        context = a @ v
        weights, biases = network.gate.of_words.weight.chunk(3), network.gate.of_words.bias.chunk(3)
        image = network.gate.of_image.weight.chunk(3)
        sums = [h @ w.T + u @ context + b for w, u, b in zip(weights, image, biases, strict=True)]
        fused = sums[0].sigmoid() * h + sums[1].sigmoid() * sums[2].tanh()
        expected = fused @ network.output.weight.T + network.output.bias
        torch.testing.assert_close(network(inputs).emissions[0], expected, atol=1e-4, rtol=1e-4)


def test_a_post_without_a_picture_gets_the_learned_cell(
    folder: Path, network: VisualAttentionTagger
) -> None:
    inputs = first_windows(folder, network, POSTS[:2])
    assert inputs.picture is not None

    def emissions(inputs: Inputs) -> Tensor:
        with torch.no_grad():
            found: Tensor = network(inputs).emissions
            return found

    before = emissions(inputs)
    torch.nn.init.normal_(network.cells.absent)
    after = emissions(inputs)
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 1e-3
    with torch.no_grad():  # now each cell of a picture is the learned one
        network.cells.project.weight.zero_()
        network.cells.project.bias.copy_(network.cells.absent)
    torch.testing.assert_close(*emissions(inputs))


def test_no_pictures_at_all_are_as_no_pictures_seen(folder: Path, network: VisualAttentionTagger) -> None:
    inputs = first_windows(folder, network, [POSTS[1]])
    blind = Inputs(
        inputs.ids, inputs.mask, inputs.kinds, inputs.shapes, inputs.firsts, inputs.words, inputs.characters
    )
    with torch.no_grad():
        torch.testing.assert_close(network(blind).emissions, network(inputs).emissions)


def test_explain_tells_where_the_text_looked_and_how_open_the_gate_was(model: TaggerModel) -> None:
    told = model.explain(POSTS)
    for post, tagging in zip(POSTS, told, strict=True):
        assert tagging.explanation is not None
        weights, tokens = tagging.explanation.weights, tagging.explanation.tokens
        if not post.seen("grid"):
            assert not weights
            continue
        gate = weights["visual gate"]
        assert (gate.over, gate.columns, len(gate.rows)) == ("gates", ("words", "image"), len(tokens))
        assert all(0 < value < 1 for row in gate.rows for value in row)
        attention = weights["visual attention"]
        assert (attention.over, len(attention.rows)) == ("cells", len(tokens))
        np.testing.assert_allclose([sum(row) for row in attention.rows], 1.0, atol=1e-5)
        assert all(len(row) == 49 for row in attention.rows)
    assert told[0].explanation is not None
    first, *others = told[0].explanation.weights["visual attention"].rows
    assert set(others) == {first}
    assert max(first) > 1.5 * min(first)


def test_explaining_changes_no_tag(model: TaggerModel) -> None:
    for plain, told in zip(model.tag(POSTS), model.explain(POSTS), strict=True):
        assert (plain.entities, plain.confidence) == (told.entities, told.confidence)


def test_bfloat16_is_close_to_float32(folder: Path, model: TaggerModel) -> None:
    whole, short = model.explain(POSTS), _load(folder, precision="bfloat16").explain(POSTS)
    assert whole[0].confidence != short[0].confidence
    for left, right in zip(whole, short, strict=True):
        np.testing.assert_allclose(left.confidence, right.confidence, atol=0.2)


def test_every_weight_learns_from_posts_with_and_without_pictures(
    folder: Path, network: VisualAttentionTagger
) -> None:
    network.train()
    inputs = first_windows(folder, network, POSTS[:4])
    gold = torch.randint(len(LABELS), inputs.words.shape)
    network.loss(inputs, gold).backward()
    still = [
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert not still
    assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.grad is not None)


def test_a_grid_of_another_width_is_refused(model: TaggerModel) -> None:
    with pytest.raises(ValueError, match="grid has vectors of 9, the model was trained on 6"):
        model.tag([FusionInput("Paris", visuals=_seen(1, width=9))])
