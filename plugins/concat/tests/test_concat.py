"""The plugin `concat` on tiny saved models, with the grid's mean and with a global vector."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from plugins.saved_families import LABELS, TEXTS, first_windows, save_random
from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Modality, Need, Seen, Visual
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc.testing.visuals import example_value
from streamproc_concat.plugin import Concat
from streamproc_concat.tagger import ConcatTagger
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import load_tagger
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel

WIDTH = 6
TINY = {
    "text": {"encoder": "tiny"},
    "character_width": 4,
    "character_hidden": 3,
    "picture_width": WIDTH,
    "width": 7,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "grid": {**TINY, "characters": "cnn"},
    "global": {**TINY, "characters": "lstm", "picture": "global"},
}


def _posts(modality: Modality) -> list[FusionInput]:
    missing = {modality: Missing("absent")}
    return [
        FusionInput(TEXTS[0], visuals=_seen(modality, 1)),
        FusionInput(TEXTS[0], visuals=missing),
        FusionInput(TEXTS[1], visuals=_seen(modality, 2)),
        FusionInput(TEXTS[2], visuals=_seen(modality, 3)),
        FusionInput("\u200b", visuals=_seen(modality, 4)),
    ]


def _seen(modality: Modality, seed: int, width: int = WIDTH) -> dict[Modality, Visual]:
    return {modality: Seen((example_value(modality, seed, width),))}


@pytest.fixture(scope="module", params=VARIANTS)
def folder(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A saved random network."""
    folder = tmp_path_factory.mktemp(request.param)
    return save_random(ConcatTagger, VARIANTS[request.param], "concat", tiny_encoder, folder)


@pytest.fixture
def network(folder: Path) -> ConcatTagger:
    return load_tagger(read_model(folder, "model.safetensors"), ConcatTagger)


@pytest.fixture
def posts(network: ConcatTagger) -> list[FusionInput]:
    return _posts(network.settings.picture)


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return _load(folder)


def _load(folder: Path, **config: object) -> TaggerModel:
    return Concat(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: TaggerModel) -> None:
    check(model)


def test_it_is_found_by_its_name_and_reads_one_modality(model: TaggerModel, network: ConcatTagger) -> None:
    assert find_plugin("concat") is Concat
    assert model.modalities == {network.settings.picture: Need.OPTIONAL}
    assert model.widths == {network.settings.picture: WIDTH}


def test_the_picture_changes_what_a_post_is_given(model: TaggerModel, network: ConcatTagger) -> None:
    modality = network.settings.picture
    visuals = [_seen(modality, 1), {modality: Missing("absent")}, _seen(modality, 2)]
    one, none, other = model.tag([FusionInput(TEXTS[0], visuals=seen) for seen in visuals])
    for left, right in ((one, none), (one, other)):
        assert np.abs(np.subtract(left.confidence, right.confidence)).max() > 1e-3


def test_emissions_are_those_of_the_papers_steps(
    folder: Path, network: ConcatTagger, posts: list[FusionInput]
) -> None:
    inputs = first_windows(folder, network, posts[:1])
    seen = np.atleast_2d(posts[0].seen(network.settings.picture)[0]).astype(np.float32)
    with torch.no_grad():
        words, characters = network.text(inputs)[0], network.characters(inputs.characters)[0]
        picture = torch.tensor([sum(column) / len(seen) for column in seen.T.tolist()])
        parts = [
            vector @ layer.weight.T + layer.bias
            for layer, vector in (
                (network.of_words, words),
                (network.of_characters, characters),
                (network.of_picture, picture.expand(len(words), -1)),
            )
        ]
        expected = torch.cat(parts, dim=1) @ network.output.weight.T + network.output.bias
        torch.testing.assert_close(network(inputs).emissions[0], expected, atol=1e-4, rtol=1e-4)


def test_a_words_characters_change_its_emissions_alone(
    folder: Path, network: ConcatTagger, posts: list[FusionInput]
) -> None:
    inputs = first_windows(folder, network, posts[:1])
    assert inputs.characters is not None
    with torch.no_grad():
        before = network(inputs).emissions
        inputs.characters[0, 1] = inputs.characters[0, 1].flip(0)
        change = (network(inputs).emissions - before).abs().amax(dim=2)[0]
    assert change[1] > 1e-3
    assert change[[0, 2, 3]].max() == 0


def test_a_post_without_a_picture_gets_the_learned_vector(
    folder: Path, network: ConcatTagger, posts: list[FusionInput]
) -> None:
    inputs = first_windows(folder, network, posts[:2])

    def emissions() -> Tensor:
        with torch.no_grad():
            found: Tensor = network(inputs).emissions
            return found

    before = emissions()
    torch.nn.init.normal_(network.absent)
    after = emissions()
    torch.testing.assert_close(after[0], before[0])
    assert (after[1] - before[1]).abs().max() > 1e-3
    with torch.no_grad():  # now a picture says what the learned vector does
        network.of_picture.weight.zero_()
        network.of_picture.bias.copy_(network.absent)
    torch.testing.assert_close(*emissions())


def test_no_pictures_at_all_are_as_no_pictures_seen(
    folder: Path, network: ConcatTagger, posts: list[FusionInput]
) -> None:
    inputs = first_windows(folder, network, posts[1:2])
    blind = Inputs(
        inputs.ids, inputs.mask, inputs.kinds, inputs.shapes, inputs.firsts, inputs.words, inputs.characters
    )
    with torch.no_grad():
        torch.testing.assert_close(network(blind).emissions, network(inputs).emissions)


def test_explain_has_tokens_and_nothing_to_weigh(model: TaggerModel, posts: list[FusionInput]) -> None:
    for plain, told in zip(model.tag(posts), model.explain(posts), strict=True):
        assert (plain.entities, plain.confidence) == (told.entities, told.confidence)
        assert told.explanation is not None
        assert len(told.explanation.tokens) <= len(plain.confidence)
        assert told.explanation.weights == {}


def test_bfloat16_is_close_to_float32(folder: Path, model: TaggerModel, posts: list[FusionInput]) -> None:
    whole, short = model.tag(posts), _load(folder, precision="bfloat16").tag(posts)
    assert whole[0].confidence != short[0].confidence
    for left, right in zip(whole, short, strict=True):
        np.testing.assert_allclose(left.confidence, right.confidence, atol=0.2)


def test_every_weight_learns_from_posts_with_and_without_pictures(
    folder: Path, network: ConcatTagger, posts: list[FusionInput]
) -> None:
    network.train()
    inputs = first_windows(folder, network, posts[:4])
    gold = torch.randint(len(LABELS), inputs.words.shape)
    network.loss(inputs, gold).backward()
    still = [
        name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert not still
    assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.grad is not None)


def test_a_picture_of_another_width_is_refused(model: TaggerModel, network: ConcatTagger) -> None:
    modality = network.settings.picture
    with pytest.raises(ValueError, match=f"{modality} has vectors of 9, the model was trained on 6"):
        model.tag([FusionInput("Paris", visuals=_seen(modality, 1, width=9))])


def test_a_model_without_its_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "vocabulary.json").unlink()
    with pytest.raises(PluginError, match="vocabulary"):
        _load(copy)
