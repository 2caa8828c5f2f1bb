"""The plugin on a saved model: the contract, pictures' captions in the input, its settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc.vision.visuals import Captions
from streamproc_bert_crf.plugin import BertCrf
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel

TEXT = "Kevin Durant in Paris"
SEEN = {"captions": Seen((Captions(("a man with a dog", "a photo of a stadium"), (-0.1, -0.2)),))}


def _load(folder: Path, **config: object) -> TaggerModel:
    return BertCrf(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return _load(folder, batch_tokens=1024)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: FusionModel) -> None:
    check(model)


def test_it_is_found_by_its_name() -> None:
    assert find_plugin("streamproc_bert_crf.plugin:BertCrf") is BertCrf
    assert BertCrf.name == "bert-crf"


def test_a_model_names_the_kinds_that_it_was_trained_on(model: TaggerModel) -> None:
    assert model.modalities == dict.fromkeys(("alt", "captions"), Need.OPTIONAL)
    assert (model.model, len(model.model_version or "")) == ("tiny", 12)


def test_captions_in_the_context_change_what_a_post_is_given(model: TaggerModel) -> None:
    alone, seen = model.tag([FusionInput(TEXT), FusionInput(TEXT, visuals=SEEN)])
    assert max(abs(a - b) for a, b in zip(alone.confidence, seen.confidence, strict=True)) > 1e-3


def test_a_post_without_a_picture_is_tagged_the_same_among_posts_with_one(
    model: TaggerModel,
) -> None:
    (alone,) = model.tag([FusionInput(TEXT)])
    missing = FusionInput(TEXT, visuals={"captions": Missing("unavailable", "fetch failed")})
    company = [FusionInput("NASA news " * 9, visuals=SEEN), missing, FusionInput("Paris", visuals=SEEN)]
    among = model.tag(company)[1]
    assert [(e.start, e.end, e.type) for e in among.entities] == [
        (e.start, e.end, e.type) for e in alone.entities
    ]
    assert among.confidence == pytest.approx(alone.confidence, abs=1e-4)


def test_with_no_modalities_it_is_a_text_only_model(folder: Path, model: TaggerModel) -> None:
    text_only = _load(folder, modalities=[])
    assert text_only.modalities == {}
    assert text_only.tag([FusionInput(TEXT, visuals=SEEN)]) == model.tag([FusionInput(TEXT)])


def test_a_kind_that_the_model_was_not_trained_on_is_refused(folder: Path) -> None:
    with pytest.raises(PluginError, match=r"modalities: ocr: .* was trained on alt, captions"):
        _load(folder, modalities=["captions", "ocr"])


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="head"):
        TorchTaggerConfig.model_validate({"head": "crf"})


def test_names_of_mentioned_accounts_are_tagged_only_on_request(folder: Path) -> None:
    posts = [FusionInput(f"@{name}") for name in ("kevin", "paris", "zed", "nasa", "harry", "durant")]

    def tagged(model: TaggerModel) -> list[str]:
        found = zip(posts, model.tag(posts), strict=True)
        return [post.text for post, tagging in found if any(e.end > 1 for e in tagging.entities)]

    assert tagged(_load(folder)) == []
    assert tagged(_load(folder, handles=True))


def test_bfloat16_is_close_to_float32(folder: Path, model: TaggerModel) -> None:
    (whole,), (short,) = (
        served.tag([FusionInput(TEXT)]) for served in (model, _load(folder, precision="bfloat16"))
    )
    assert short.confidence != whole.confidence
    assert short.confidence == pytest.approx(whole.confidence, abs=0.2)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(PluginError, match="device 'abacus' cannot be used"):
        BertCrf(TorchTaggerConfig()).load(folder, "abacus")
