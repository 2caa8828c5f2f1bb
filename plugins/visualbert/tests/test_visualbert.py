"""The plugin `visualbert` on tiny saved models: the contract, pictures, windows, explanations."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen, Tagging
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc.vision.visuals import Captions, Regions
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.torch_serving import served
from streamproc_visualbert.plugin import VisualBert
from streamproc_visualbert.tagger import VisualBertTagger

VARIANTS = ("text", "regions", "captions", "all", "beside-bert")
WITH_REGIONS = ("regions", "all", "beside-bert")
WIDTH = 12
TEXT = "Kevin Durant in Paris"


def _regions(count: int = 3, seed: int = 0, width: int = WIDTH) -> Regions:
    """Regions, the surest first."""
    random = np.random.default_rng(seed)
    return Regions(
        boxes=np.tile(np.array([[0.0, 0.25, 0.5, 1.0]], np.float16), (count, 1)),
        scores=np.linspace(0.9, 0.5, count).astype(np.float16),
        features=random.standard_normal((count, width)).astype(np.float16),
    )


def _post(regions: Regions, text: str = TEXT) -> FusionInput:
    return FusionInput(text, visuals={"regions": Seen((regions,))})


def _load(folder: Path, **config: object) -> TaggerModel:
    return VisualBert(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


def _apart(one: Tagging, other: Tagging) -> float:
    """The largest difference of two confidences."""
    return float(np.abs(np.subtract(one.confidence, other.confidence)).max())


@pytest.fixture(scope="module", params=VARIANTS)
def model(folders: dict[str, Path], request: pytest.FixtureRequest) -> TaggerModel:
    return _load(folders[request.param], batch_tokens=1024)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: FusionModel) -> None:
    check(model)


def test_it_is_installed_under_its_name() -> None:
    assert find_plugin("visualbert") is VisualBert


def test_a_model_names_what_it_was_trained_on(folders: dict[str, Path]) -> None:
    assert _load(folders["text"]).modalities == {}
    assert _load(folders["captions"]).modalities == {"captions": Need.OPTIONAL}
    both = _load(folders["all"])
    assert both.modalities == dict.fromkeys(("alt", "ocr", "captions", "regions"), Need.OPTIONAL)
    assert both.widths == {"regions": WIDTH}


_IN_A_FRESH_PROCESS = """
import pickle, sys
from pathlib import Path
import torch
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_visualbert.plugin import VisualBert
torch.set_num_threads(1)
posts = pickle.loads(Path(sys.argv[1]).read_bytes())
for folder in sys.argv[2:]:
    print(VisualBert(TorchTaggerConfig()).load(Path(folder), "cpu").explain(posts))
"""


def test_a_fresh_process_gives_the_trained_networks_output_to_the_last_bit(
    networks: dict[str, VisualBertTagger], folders: dict[str, Path], tmp_path: Path
) -> None:
    chosen = ("text", "regions", "beside-bert")
    posts = [_post(_regions()), _post(_regions(1), "zebra"), FusionInput(TEXT), FusionInput("")]
    (tmp_path / "posts").write_bytes(pickle.dumps(posts))
    fresh = subprocess.run(
        [
            sys.executable,
            "-c",
            _IN_A_FRESH_PROCESS,
            tmp_path / "posts",
            *(folders[name] for name in chosen),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    trained = [
        served(read_model(folders[name], "model.safetensors"), networks[name], TorchTaggerConfig(), "cpu")
        for name in chosen
    ]
    expected = [str(model.explain(posts)) for model in trained]
    assert fresh.stdout.splitlines() == expected  # a float's repr is exact
    assert len(set(expected)) == len(chosen)


@pytest.mark.parametrize("name", WITH_REGIONS)
def test_the_picture_is_seen_and_a_missing_one_leaves_the_text(name: str, folders: dict[str, Path]) -> None:
    model, blind = _load(folders[name]), _load(folders[name], modalities=[])
    posts = [
        _post(_regions()),
        _post(_regions(seed=1)),
        FusionInput(TEXT, visuals={"regions": Missing("unavailable", "fetch failed")}),
        _post(_regions(40), "zebra " * 9),
    ]
    one, other, without, _ = model.tag(posts)
    text = blind.tag(posts[:1])[0]
    assert blind.modalities == {}
    assert _apart(without, text) < 1e-4
    assert min(_apart(one, other), _apart(one, text), _apart(other, text)) > 1e-3


def test_only_the_surest_regions_are_read(folders: dict[str, Path]) -> None:
    model = _load(folders["regions"])
    many = _regions(40)
    last, thirty_sixth = (many.features.copy() for _ in range(2))
    last[36:] = 7.0
    thirty_sixth[35] = 7.0
    posts = [_post(Regions(many.boxes, many.scores, f)) for f in (many.features, last, thirty_sixth)]
    one, same, other = model.tag(posts)
    assert _apart(one, same) == 0
    assert _apart(one, other) > 1e-4


def test_captions_are_read_behind_the_post(folders: dict[str, Path]) -> None:
    model = _load(folders["captions"])
    seen = {"captions": Seen((Captions(("a man with a dog",), (-0.1,)),))}
    alone, captioned = model.tag([FusionInput(TEXT), FusionInput(TEXT, visuals=seen)])
    assert _apart(alone, captioned) > 1e-3


def test_regions_of_another_width_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="regions has vectors of 7, the model was trained on 12"):
        _load(folders["regions"]).tag([_post(_regions(width=7))])


def test_bfloat16_is_close_to_float32(folders: dict[str, Path]) -> None:
    post = _post(_regions())
    for name in WITH_REGIONS:
        (whole,), (short,) = (
            _load(folders[name], precision=precision).tag([post]) for precision in ("float32", "bfloat16")
        )
        assert 0 < _apart(whole, short) < 0.2


def test_an_explanation_weighs_regions_and_tells_the_pictures_share(folders: dict[str, Path]) -> None:
    model = _load(folders["all"])
    posts = [_post(_regions(3)), _post(_regions(5), "in Paris"), FusionInput(TEXT)]
    told = model.explain(posts)
    assert [_apart(one, other) < 1e-6 for one, other in zip(told, model.tag(posts), strict=True)] == [
        True
    ] * 3
    for tagging, count in zip(told, (3, 5, None), strict=True):
        assert tagging.explanation is not None
        weights = tagging.explanation.weights
        shares = weights["attention to the picture"]
        assert (shares.over, shares.columns) == ("modalities", ("text", "picture"))
        assert len(shares.rows) == len(tagging.explanation.tokens)
        if count is None:
            assert "transformer attention" not in weights
            assert set(shares.rows) == {(1.0, 0.0)}
            continue
        regions = weights["transformer attention"]
        assert (regions.over, len(regions.boxes)) == ("regions", count)
        np.testing.assert_allclose(np.sum(shares.rows, axis=1), 1.0, atol=1e-6)
        assert np.array(regions.rows).shape == (len(tagging.explanation.tokens), count)
        np.testing.assert_allclose(np.sum(regions.rows, axis=1), 1.0, atol=1e-5)
        assert np.min(shares.rows) > 0.0


def test_a_long_post_is_explained_word_by_word(folders: dict[str, Path]) -> None:
    text = "kevin durant at the stadium " * 12
    (tagging,) = _load(folders["regions"]).explain([_post(_regions(), text)])
    assert tagging.explanation is not None
    rows = tagging.explanation.weights["transformer attention"].rows
    assert len(rows) == len(tagging.explanation.tokens) == 60
    np.testing.assert_allclose(np.sum(rows, axis=1), 1.0, atol=1e-5)


def test_networks_without_regions_explain_nothing(folders: dict[str, Path]) -> None:
    for name in ("text", "captions"):
        (tagging,) = _load(folders[name]).explain([FusionInput(TEXT)])
        assert tagging.explanation is not None
        assert tagging.explanation.weights == {}


def test_both_encoders_are_tuned_and_have_a_say(make: Callable[..., VisualBertTagger]) -> None:
    network = make(picture="regions", picture_width=WIDTH, text_encoder="bert")
    assert network.text is not None
    assert network.output.in_features == 2 * network.visual.width
    assert set(network.encoder_configs) == {"vision-language", "text"}
    kinds = {role: config["model_type"] for role, config in network.encoder_configs.items()}
    assert kinds == {"vision-language": "visual_bert", "text": "bert"}
    ids = torch.tensor([[2, 40, 41, 3]])
    ones = torch.ones_like(ids)
    words = torch.ones(1, 2, dtype=torch.bool)
    inputs = Inputs(ids, ones, ones * 0, torch.zeros(1, 4, 3).long(), torch.tensor([[1, 2]]), words)
    network.loss(inputs, torch.tensor([[1, 2]])).backward()
    for part in (network.visual.encoder, network.text):
        gradient = part.get_input_embeddings().weight.grad
        assert gradient is not None
        assert gradient[40].abs().max() > 0


def test_a_text_encoder_with_other_sub_tokens_is_refused(tiny_visualbert: Path) -> None:
    other = BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )

    def find(role: str, name: str) -> BertModel:
        found = AutoModel.from_pretrained(tiny_visualbert) if role != "text" else BertModel(other)
        return without_pooler(found)

    settings = VisualBertTagger.Settings.model_validate({"encoder": "v", "text_encoder": "cased"})
    with pytest.raises(PluginError, match=r"text_encoder 'cased' has 7 sub-tokens, encoder 'v' \d+: they"):
        VisualBertTagger(settings, ("O", "B-PER", "I-PER"), Parts(find))
