"""The plugin on saved models: the contract, a fresh process, pictures, its settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc_bilstm_crf.plugin import BiLstmCrf
from streamproc_bilstm_crf.tagger import BiLstmTagger
from streamproc_mner.decoding import Decoder
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.torch_serving import TorchNetwork
from streamproc_mner.vocabulary import WordEncoder

TEXTS = ["Kevin Durant visits Paris", "zebra", "RT @NASA: news 🎉", "no names in the rain " * 12, ""]
Make = Callable[..., BiLstmTagger]
Save = Callable[[BiLstmTagger, Path], Path]

_IN_A_FRESH_PROCESS = """
import sys
from pathlib import Path
import torch
from streamproc.fusion.api import FusionInput
from streamproc_bilstm_crf.plugin import BiLstmCrf
from streamproc_mner.serving_config import TorchTaggerConfig
torch.set_num_threads(int(sys.argv[1]))
for folder in sys.argv[2].split(":"):
    model = BiLstmCrf(TorchTaggerConfig()).load(Path(folder), "cpu")
    print(model.tag([FusionInput(text) for text in sys.argv[3:]]))
"""


def _load(folder: Path, **config: object) -> TaggerModel:
    model = BiLstmCrf(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")
    assert isinstance(model, TaggerModel)
    return model


def _picture(seed: int, width: int = 8) -> dict[str, Seen]:
    return {"global": Seen((np.random.default_rng(seed).standard_normal(width).astype(np.float16),))}


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return _load(folder, batch_tokens=256)


@pytest.fixture(scope="session")
def attentive(make: Make, save: Save, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved W+C+V model with modality attention."""
    return save(make("wcv-attn"), tmp_path_factory.mktemp("saved") / "attentive")


@pytest.fixture
def copy(attentive: Path, tmp_path: Path) -> Path:
    return shutil.copytree(attentive, tmp_path / "copy")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: FusionModel) -> None:
    check(model)


def test_it_is_found_by_its_name() -> None:
    assert find_plugin("streamproc_bilstm_crf.plugin:BiLstmCrf") is BiLstmCrf
    assert BiLstmCrf.name == "bilstm-crf"


def test_a_model_names_the_picture_that_it_was_trained_on(
    network: BiLstmTagger, model: TaggerModel
) -> None:
    reads_pictures = network.reads.picture is not None
    assert model.modalities == ({"global": Need.OPTIONAL} if reads_pictures else {})
    assert model.widths == ({"global": 8} if reads_pictures else {})


def _served(network: BiLstmTagger, folder: Path) -> TaggerModel:
    """The network as it was made, not as it was stored."""
    saved = read_model(folder, "model.safetensors")
    assert saved.vocabulary is not None
    return TaggerModel(
        TorchNetwork(network, torch.device("cpu"), torch.float32),
        WordEncoder(saved.vocabulary, saved.config.limits),
        Decoder(saved.labels, network.crf_scores),
        kinds=(),
        picture=network.reads.picture,
        batch_tokens=4096,
        handles=False,
        name="tiny",
        version="0",
    )


def test_a_fresh_process_gives_the_made_networks_output_to_the_last_bit(
    make: Make, save: Save, tmp_path: Path
) -> None:
    networks = [make(variant) for variant in ("wcv-attn", "wcv", "hbilstm")]
    folders = [save(network, tmp_path / str(row)) for row, network in enumerate(networks)]
    threads = str(torch.get_num_threads())
    fresh = subprocess.run(
        [sys.executable, "-c", _IN_A_FRESH_PROCESS, threads, ":".join(map(str, folders)), *TEXTS],
        capture_output=True,
        text=True,
        check=True,
    )
    posts = [FusionInput(text) for text in TEXTS]
    made = [str(_served(n, f).tag(posts)) for n, f in zip(networks, folders, strict=True)]
    assert fresh.stdout.splitlines() == made  # a float's repr is exact
    assert all("Entity(" in line for line in made)


def test_word_vectors_are_read_for_a_new_network_and_not_for_a_saved_one(
    make: Make, save: Save, tmp_path: Path
) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("paris 1 2 3 4 5 6\n")
    folder = save(make("w", vectors=str(file)), tmp_path / "model")
    file.unlink()
    assert _load(folder).tag([FusionInput("Paris")])[0].confidence


def test_a_picture_counts_and_one_that_is_missing_is_left_out(attentive: Path) -> None:
    model = _load(attentive)
    alone, seen, other, missing = model.tag(
        [
            FusionInput(TEXTS[0]),
            FusionInput(TEXTS[0], visuals=_picture(1)),
            FusionInput(TEXTS[0], visuals=_picture(2)),
            FusionInput(TEXTS[0], visuals={"global": Missing("unavailable", "fetch failed")}),
        ]
    )
    assert missing.confidence == pytest.approx(alone.confidence, abs=1e-5)
    for one, two in ((alone, seen), (seen, other)):
        assert max(abs(a - b) for a, b in zip(one.confidence, two.confidence, strict=True)) > 1e-4


def test_with_no_modalities_it_is_a_text_only_model(attentive: Path) -> None:
    blind = _load(attentive, modalities=[])
    assert blind.modalities == {}
    (shown,), (alone,) = (
        model.tag([post])
        for model, post in (
            (blind, FusionInput(TEXTS[0], visuals=_picture(1))),
            (_load(attentive), FusionInput(TEXTS[0])),
        )
    )
    assert shown.confidence == pytest.approx(alone.confidence, abs=1e-5)


def test_each_words_modalities_are_explained(attentive: Path) -> None:
    posts = [FusionInput(TEXTS[0], visuals=_picture(1)), FusionInput(TEXTS[3])]
    explained = _load(attentive).explain(posts)
    for post, tagging in zip(posts, explained, strict=True):
        assert tagging.explanation is not None
        told = tagging.explanation.weights["modality attention"]
        assert (told.over, told.columns) == ("modalities", ("words", "characters", "image"))
        assert [token[0] for token in tagging.explanation.tokens] == post.text.split()
        assert len(told.rows) == len(tagging.explanation.tokens)
        assert [sum(row) for row in told.rows] == pytest.approx([1.0] * len(told.rows))
        assert all((row[2] > 0) == bool(post.visuals) for row in told.rows)


def test_vectors_of_another_width_are_refused(attentive: Path) -> None:
    with pytest.raises(ValueError, match="global has vectors of 16, the model was trained on 8"):
        _load(attentive).tag([FusionInput("Paris", visuals=_picture(1, width=16))])


def test_bfloat16_is_close_to_float32(attentive: Path) -> None:
    post = FusionInput(TEXTS[0], visuals=_picture(1))
    (whole,), (short,) = (_load(attentive, precision=p).tag([post]) for p in ("float32", "bfloat16"))
    assert short.confidence != whole.confidence
    assert short.confidence == pytest.approx(whole.confidence, abs=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fusion": "sum"}, r"settings\.fusion: Input should be 'concat' or 'attention'"),
        ({"words": False, "characters": "none"}, "settings: .* expected at least one of them"),
        ({"hidden": 9}, r"not the weights of the network .* has the shape"),
    ],
)
def test_settings_that_are_not_the_models_are_refused(
    copy: Path, settings: dict[str, object], message: str
) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["settings"].update(settings)
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginError, match=message):
        _load(copy)


def test_a_model_without_its_vocabulary_is_refused(copy: Path) -> None:
    (copy / "vocabulary.json").unlink()
    with pytest.raises(PluginError, match="missing"):
        _load(copy)
