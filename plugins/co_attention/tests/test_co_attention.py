"""The plugin `co-attention` on tiny saved models, over a transformer and over a BiLSTM."""

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
from streamproc_co_attention.plugin import CoAttention
from streamproc_co_attention.tagger import CoAttentionTagger
from streamproc_mner.nn.additive_attention import AdditiveAttention
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import load_tagger
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel

WIDTH = 6
TINY = {"picture_width": WIDTH, "attention_width": 5, "fusion_width": 7}
BILSTM = {
    "kind": "bilstm",
    "word_width": 8,
    "characters": "cnn",
    "character_width": 4,
    "character_hidden": 5,
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
    return save_random(CoAttentionTagger, VARIANTS[request.param], "co-attention", tiny_encoder, folder)


@pytest.fixture
def network(folder: Path) -> CoAttentionTagger:
    return load_tagger(read_model(folder, "model.safetensors"), CoAttentionTagger)


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return _load(folder)


def _load(folder: Path, **config: object) -> TaggerModel:
    return CoAttention(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: TaggerModel) -> None:
    check(model)


def test_it_is_found_by_its_name_and_reads_the_grid(model: TaggerModel) -> None:
    assert find_plugin("co-attention") is CoAttention
    assert model.modalities == {"grid": Need.OPTIONAL}
    assert model.widths == {"grid": WIDTH}


def test_the_picture_changes_what_a_post_is_given(model: TaggerModel) -> None:
    one, none, other = model.tag([POSTS[0], POSTS[1], FusionInput(TEXTS[0], visuals=_seen(2))])
    for left, right in ((one, none), (one, other)):
        assert np.abs(np.subtract(left.confidence, right.confidence)).max() > 1e-3


def test_emissions_are_those_of_the_papers_steps(folder: Path, network: CoAttentionTagger) -> None:
    inputs = first_windows(folder, network, POSTS[:1])
    assert inputs.picture is not None
    with torch.no_grad():
        (h,) = network.text(inputs)
        v = torch.tanh(_linear(network.cells, inputs.picture.features[0]))
        for t, word in enumerate(h):
            image = _attended(network.attention.visual, word, v)
            text = _attended(network.attention.textual, image, h)
            x, y = _linear(network.fusion.image, image).tanh(), _linear(network.fusion.words, text).tanh()
            g = _linear(network.fusion.gate, torch.cat([x, y])).sigmoid()
            m = g * x + (1 - g) * y
            s = (
                _linear(network.filter.gate_of_words, word) + _linear(network.filter.gate_of_fused, m)
            ).sigmoid()
            kept = s * _linear(network.filter.kept, m).tanh()
            expected = _linear(network.output, torch.cat([word, kept]))
            torch.testing.assert_close(network(inputs).emissions[0, t], expected, atol=1e-4, rtol=1e-4)


def _linear(layer: torch.nn.Linear, vectors: Tensor) -> Tensor:
    product = vectors @ layer.weight.T
    return product if layer.bias is None else product + layer.bias


def _attended(attention: AdditiveAttention, query: Tensor, vectors: Tensor) -> Tensor:
    compared = torch.tanh(_linear(attention.query, query) + _linear(attention.key, vectors))
    return torch.softmax(_linear(attention.score, compared)[:, 0], dim=0) @ vectors


def test_without_a_picture_emissions_depend_on_the_word_alone(
    folder: Path, network: CoAttentionTagger
) -> None:
    inputs = first_windows(folder, network, POSTS[:2])
    with torch.no_grad():
        words = network.text(inputs)
        alone = words @ network.output.weight[:, : words.shape[-1]].T + network.output.bias
        seen, unseen = network(inputs).emissions
    torch.testing.assert_close(unseen, alone[1], atol=1e-5, rtol=1e-5)
    assert (seen - alone[0]).abs().max() > 1e-3


def test_no_pictures_at_all_are_as_no_pictures_seen(folder: Path, network: CoAttentionTagger) -> None:
    inputs = first_windows(folder, network, [POSTS[1]])
    blind = Inputs(
        inputs.ids, inputs.mask, inputs.kinds, inputs.shapes, inputs.firsts, inputs.words, inputs.characters
    )
    with torch.no_grad():
        torch.testing.assert_close(network(blind).emissions, network(inputs).emissions)


def test_explain_tells_what_words_attend_to_and_how_open_the_gates_are(model: TaggerModel) -> None:
    for post, tagging in zip(POSTS, model.explain(POSTS), strict=True):
        assert tagging.explanation is not None
        weights, count = tagging.explanation.weights, len(tagging.explanation.tokens)
        text = weights["textual attention"]
        assert (text.over, len(text.rows)) == ("tokens", count)
        assert all(len(row) == count for row in text.rows)
        np.testing.assert_allclose([sum(row) for row in text.rows], 1.0, atol=1e-5)
        gates = [weights["fusion gate"], weights["filtration gate"]]
        assert [(gate.over, gate.columns) for gate in gates] == [
            ("gates", ("image",)),
            ("gates", ("image and words",)),
        ]
        values = [value for gate in gates for row in gate.rows for value in row]
        assert len(values) == 2 * count
        if not post.seen("grid"):
            assert "visual attention" not in weights
            assert set(values) == {0.0}
            continue
        assert all(0 < value < 1 for value in values)
        image = weights["visual attention"]
        assert (image.over, len(image.rows)) == ("cells", count)
        assert all(len(row) == 49 for row in image.rows)
        np.testing.assert_allclose([sum(row) for row in image.rows], 1.0, atol=1e-5)
        if post.text == TEXTS[0]:  # each word attends for itself
            assert len(set(image.rows)) == len(set(text.rows)) == count


def test_explaining_changes_no_tag(model: TaggerModel) -> None:
    for plain, told in zip(model.tag(POSTS), model.explain(POSTS), strict=True):
        assert (plain.entities, plain.confidence) == (told.entities, told.confidence)


def test_bfloat16_is_close_to_float32(folder: Path, model: TaggerModel) -> None:
    whole, short = model.explain(POSTS), _load(folder, precision="bfloat16").explain(POSTS)
    assert whole[0].confidence != short[0].confidence
    for left, right in zip(whole, short, strict=True):
        np.testing.assert_allclose(left.confidence, right.confidence, atol=0.2)


def test_every_weight_learns(folder: Path, network: CoAttentionTagger) -> None:
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
