"""Exporting saved models: which can be, parity with torch, what is carried over, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModel, XLMRobertaConfig, XLMRobertaModel

from plugins.saved_families import TEXTS, save_random
from plugins.tiny_tokenizers import write_unigram
from streamproc.errors import InputError, PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Seen, Tagging
from streamproc.vision.visuals import Captions
from streamproc_bert_crf.plugin import BertCrf
from streamproc_bert_crf.tagger import BertTagger
from streamproc_bilstm_crf.tagger import BiLstmTagger
from streamproc_ita.plugin import Ita
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.choices import store_choices
from streamproc_mner.exporting.exported import export_model, model_folder
from streamproc_mner.exporting.parity import TOLERANCE, check_parity
from streamproc_mner.nn.stored import load_tagger, save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.windows import Limits

CONTEXT = ("alt", "captions")
FAMILIES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "bert-crf": ("bert-crf", BertTagger, {}),
    "bert-softmax": ("bert-crf", BertTagger, {"head": "softmax", "context": CONTEXT}),
    "ita": ("ita", ItaTagger, {"context": CONTEXT, "kind_embedding": True, "word_shapes": True}),
}
REFUSED: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "cells": ("ita", ItaTagger, {"picture": "grid", "picture_width": 6}, "reads a picture's vectors"),
    "padded": ("bert-crf", BertTagger, {"labels": "pad-as-authors"}, "labels the other sub-tokens PAD"),
    "words": ("bilstm-crf", BiLstmTagger, {"picture": "none"}, "looks up words or characters"),
}
SERVED = {"bert-crf": BertCrf, "ita": Ita}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on more threads than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: Any) -> tuple[Path, Path]:
    """A saved model of torch, and the same exported."""
    plugin, network, settings = FAMILIES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    source = save_random(network, settings, plugin, tiny_encoder, folder / "torch")
    store_choices(source, temperature=1.7, look_threshold=0.25)
    export_model(source, folder / "onnx")
    return source, folder / "onnx"


def _onnx(folder: Path) -> FusionModel:
    return OnnxTagger(OnnxTaggerConfig(threads=1, batch_tokens=256)).load(folder, "cpu")


def _torch(folder: Path) -> FusionModel:
    plugin = json.loads((folder / "config.json").read_text())["network"]
    return SERVED[plugin](TorchTaggerConfig(batch_tokens=256)).load(folder, "cpu")


def _posts() -> list[FusionInput]:
    seen = {"captions": Seen((Captions(("a man with a dog",), (-0.1,)),))}
    return [FusionInput(text) for text in TEXTS] + [FusionInput(text, visuals=seen) for text in TEXTS]


def _same(found: list[Tagging], expected: list[Tagging], near: float) -> None:
    for left, right in zip(found, expected, strict=True):
        assert [(e.text, e.type) for e in left.entities] == [(e.text, e.type) for e in right.entities]
        np.testing.assert_allclose(left.confidence, right.confidence, atol=near)
        assert left.uncertainty == pytest.approx(right.uncertainty, abs=near)


def test_an_exported_model_tags_as_that_of_torch(pair: tuple[Path, Path]) -> None:
    source, exported = pair
    found, expected = _onnx(exported).tag(_posts()), _torch(source).tag(_posts())
    assert any(tagging.entities for tagging in expected)
    _same(found, expected, near=5e-3)  # weights were rounded to half precision


def test_a_file_says_nothing_of_the_machine_that_made_it(pair: tuple[Path, Path]) -> None:
    weights = (pair[1] / "model.onnx").read_bytes()
    assert b".py" not in weights
    assert str(Path(torch.__file__).parent).encode() not in weights


def test_what_was_chosen_for_a_model_is_carried_over(pair: tuple[Path, Path]) -> None:
    source, exported = (
        read_model(f, w) for f, w in zip(pair, ("model.safetensors", "model.onnx"), strict=True)
    )  # type: ignore[arg-type]
    for name in ("name", "network", "settings", "kinds", "limits", "temperature", "look_threshold"):
        assert getattr(exported.config, name) == getattr(source.config, name), name
    assert exported.config.temperature == 1.7
    assert exported.labels == source.labels
    told = json.loads((exported.folder / "metrics.json").read_text())["export"]
    assert told["from"] == source.version
    assert told["difference"] <= TOLERANCE
    assert told["longest"] == source.config.limits.window


def test_without_half_the_weights_are_those_of_torch(tiny_encoder: Path, tmp_path: Path) -> None:
    plugin, network, settings = FAMILIES["ita"]
    source = save_random(network, settings, plugin, tiny_encoder, tmp_path / "torch")
    exported = export_model(source, tmp_path / "onnx", half=False)
    kinds = {t.data_type for t in onnx.load(exported.folder / "model.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 not in kinds
    _same(_onnx(exported.folder).tag(_posts()), _torch(source).tag(_posts()), near=1e-4)


@pytest.fixture
def xlmr(tmp_path: Path) -> Path:
    """A saved ita model over a random XLM-R that takes just one window."""
    folder = tmp_path / "xlmr"
    folder.mkdir()
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=write_unigram(folder / "tokenizer.json"),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48 + 2,
        type_vocab_size=1,
        pad_token_id=1,
        initializer_range=0.3,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(folder)))
    settings = ItaTagger.Settings.model_validate({"context": CONTEXT, "kind_embedding": True})
    network = ItaTagger(settings, ("O", "B-PER", "I-PER"), parts)  # type: ignore[arg-type]
    torch.nn.init.normal_(network.output.weight)
    save_tagger(
        network,
        tmp_path / "torch",
        plugin="ita",
        name="tiny-xlmr",
        tokenizer=folder / "tokenizer.json",
        vocabulary=None,
        limits=Limits(window=48, overlap=12, context=20),
        metrics={},
        card="# tiny\n",
    )
    return tmp_path / "torch"


def test_an_encoder_whose_positions_begin_at_2_is_exported_too(xlmr: Path, tmp_path: Path) -> None:
    exported = export_model(xlmr, tmp_path / "onnx")
    assert exported.parity is not None
    assert exported.parity.longest == 48
    _same(_onnx(exported.folder).tag(_posts()), _torch(xlmr).tag(_posts()), near=5e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_says_why_and_what_to_do(
    name: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    plugin, network, settings, reason = REFUSED[name]
    source = save_random(network, settings, plugin, tiny_encoder, tmp_path / "torch")
    with pytest.raises(
        PluginError, match=rf"{plugin} that {reason}.* serve it with torch \(plugin = '{plugin}'"
    ):
        export_model(source, tmp_path / "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["torch"]


def test_a_file_that_gives_something_else_is_refused(pair: tuple[Path, Path]) -> None:
    source, exported = pair
    saved = read_model(source, "model.safetensors")
    network: Any = load_tagger(saved, SERVED[saved.config.network].network_class())
    with torch.no_grad():
        network.output.bias += 0.01
    with pytest.raises(PluginError, match=r"model.onnx: emissions differ by 0\.0\d+ from those of torch"):
        check_parity(network, exported / "model.onnx", saved.config.limits)


def test_a_folder_that_is_there_is_left_alone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="out: is there already: name a folder that is not"):
        export_model(pair[0], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_an_exported_model_is_not_exported_again(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds model\.onnx already: give --int8 and --calibrate"):
        export_model(pair[1], tmp_path / "again")


def test_a_name_that_is_no_model_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"'no-such' is no folder of a saved model .*mner-tweets-sm"):
        model_folder("no-such")
    assert (model_folder("mner-tweets-sm") / "model.onnx").is_file()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _newer(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def _pickle(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\x80\x04.")


@pytest.mark.parametrize(
    ("file", "spoil", "message"),
    [
        ("model.safetensors", _truncate, "corrupt, cut short or of another model"),
        ("config.json", _newer, "format 2 is newer than 1"),
        ("below/optimizer.PT", _pickle, "looks like a pickle"),
        ("tokenizer.json", _truncate, "tokenizer.json: not the file that config.json names"),
        ("labels.json", _truncate, "labels.json"),
    ],
)
def test_a_spoiled_model_is_refused_with_the_reason(
    pair: tuple[Path, Path], tmp_path: Path, file: str, spoil: Callable[[Path], None], message: str
) -> None:
    copy = shutil.copytree(pair[0], tmp_path / "copy")
    spoil(copy / file)
    with pytest.raises(PluginError, match=message):
        export_model(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
