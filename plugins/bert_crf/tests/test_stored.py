"""Saving and loading: the same output to the last bit, and folders that are something else."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc_bert_crf.plugin import BertCrf
from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.collate import PostEncoder
from streamproc_mner.decoding import Decoder
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.torch_serving import TorchNetwork

TEXTS = ["Kevin Durant in Paris", "zebra", "RT @NASA: news 🎉", "harry potter at the stadium " * 8]

_IN_A_FRESH_PROCESS = """
import sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from streamproc.fusion.api import FusionInput
from streamproc_bert_crf.plugin import BertCrf
from streamproc_mner.serving_config import TorchTaggerConfig
torch.set_num_threads(1)
for folder in sys.argv[1:3]:
    model = BertCrf(TorchTaggerConfig()).load(Path(folder), "cpu")
    print(model.tag([FusionInput(text) for text in sys.argv[3:]]))
"""


def _load(folder: Path) -> TaggerModel:
    return BertCrf(TorchTaggerConfig()).load(folder, "cpu")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _served(network: BertTagger, folder: Path) -> TaggerModel:
    """The network as it was trained, not as it was stored."""
    saved = read_model(folder, "model.safetensors")
    return TaggerModel(
        TorchNetwork(network, torch.device("cpu"), torch.float32),
        PostEncoder.from_file(saved.tokenizer, saved.config.limits),
        Decoder(saved.labels, network.crf_scores),
        kinds=(),
        batch_tokens=4096,
        handles=False,
        name="tiny",
        version="0",
    )


def test_a_fresh_process_gives_the_trained_networks_output_to_the_last_bit(
    make: Callable[[str], BertTagger], save: Callable[[BertTagger, Path], Path], tmp_path: Path
) -> None:
    networks = [make("crf"), make("softmax")]
    folders = [save(network, tmp_path / network.settings.head) for network in networks]
    fresh = subprocess.run(
        [sys.executable, "-c", _IN_A_FRESH_PROCESS, *map(str, folders), *TEXTS],
        capture_output=True,
        text=True,
        check=True,
    )
    posts = [FusionInput(text) for text in TEXTS]
    expected = [
        str(_served(network, folder).tag(posts)) for network, folder in zip(networks, folders, strict=True)
    ]
    assert fresh.stdout.splitlines() == expected  # a float's repr is exact
    assert all("Entity(" in line for line in expected)
    assert expected[0] != expected[1]


def test_the_folder_says_which_network_and_head_it_has(network: BertTagger, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert (config["network"], config["settings"]["head"]) == ("bert-crf", network.settings.head)


def test_no_folder_is_refused() -> None:
    with pytest.raises(PluginError, match="needs the folder of a saved model"):
        BertCrf(TorchTaggerConfig()).load(None, "cpu")


@pytest.mark.parametrize("name", ["config.json", "labels.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(PluginError, match=f"{name}: missing"):
        _load(copy)


def test_a_model_of_another_plugin_is_refused_and_sent_there(copy: Path) -> None:
    _change(copy, network="ita")
    with pytest.raises(PluginError, match=r"a model of the plugin ita.*set plugin = 'ita'"):
        _load(copy)


def _change(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "hmm"}, "settings.head: Input should be 'crf' or 'softmax'"),
        ({"lstm": 1}, "settings.lstm: Extra inputs are not permitted"),
    ],
)
def test_wrong_network_settings_are_refused(copy: Path, settings: dict[str, object], message: str) -> None:
    _change(copy, settings=settings)
    with pytest.raises(PluginError, match=rf"config\.json: {message}"):
        _load(copy)


def test_weights_of_the_other_head_are_refused(copy: Path, network: BertTagger) -> None:
    other = "softmax" if network.settings.head == "crf" else "crf"
    _change(copy, settings={"head": other})
    with pytest.raises(PluginError, match=r"crf\.end .* \(3 of \d+ do not fit\)"):
        _load(copy)


def test_weights_for_other_labels_are_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    del config["files"]  # as in folders of the first release, whose labels had no checksum
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "labels.json").write_text('["O", "B-PER", "I-PER"]')
    with pytest.raises(PluginError, match=r"has the shape \(5.*\), expected \(3"):
        _load(copy)


def test_an_unknown_encoder_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["encoders"]["text"]["model_type"] = "abacus"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginError, match=r"config\.json: encoders\.text: .*abacus"):
        _load(copy)


def test_an_encoder_of_another_width_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["encoders"]["text"]["intermediate_size"] = 48
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginError, match=r"encoder\..*intermediate.* has the shape \(64.*expected \(48"):
        _load(copy)


def test_a_window_that_is_longer_than_the_encoder_takes_is_refused(copy: Path) -> None:
    _change(copy, limits={"window": 300})
    with pytest.raises(PluginError, match=r"limits\.window is 300, but the encoder takes 128 sub-tokens"):
        _load(copy)


def test_context_that_is_no_text_is_refused(copy: Path) -> None:
    _change(copy, settings={"context": ["grid"]})
    with pytest.raises(PluginError, match=r"settings\.context\.0: Input should be 'alt', 'ocr'"):
        _load(copy)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"model_type": "detr", "backbone": "owner/weights"}, "model_type is 'detr', expected one of"),
        ({"model_type": []}, r"model_type is \[\], expected one of"),
        ({"vocab_size": None}, "vocab_size"),
        ({"transformers_version": []}, "transformers_version"),
        ({"num_hidden_layers": 100_000}, "num_hidden_layers is 100000, expected at most"),
        ({"intermediate_size": 10**9}, r"has the shape \(64.*expected \(1000000000"),
    ],
)
def test_an_encoder_that_asks_for_too_much_is_refused_before_there_is_room_for_it(
    copy: Path, described: dict[str, object], message: str
) -> None:
    config = json.loads((copy / "config.json").read_text())
    _change(copy, encoders={"text": {**config["encoders"]["text"], **described}})
    with pytest.raises(PluginError, match=message):
        _load(copy)


@pytest.mark.parametrize(
    "limits", [{"window": 0}, {"overlap": -50}, {"word": 0}, {"window": 20, "overlap": 20}]
)
def test_limits_that_no_post_can_be_read_with_are_refused(copy: Path, limits: dict[str, int]) -> None:
    _change(copy, limits=limits)
    with pytest.raises(PluginError, match=r"config\.json: limits: .*expected word from 1"):
        _load(copy)


@pytest.mark.parametrize("fault", ["nan", "whole numbers"])
def test_weights_that_are_no_finite_numbers_are_refused(copy: Path, fault: str) -> None:
    path = copy / "model.safetensors"
    weights = load_file(path)
    bias = weights["output.bias"]
    weights["output.bias"] = bias * float("nan") if fault == "nan" else bias.to(torch.int64)
    save_file(weights, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stored = {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    _change(copy, weights=stored)
    with pytest.raises(PluginError, match=r"output\.bias holds what are no finite numbers"):
        _load(copy)
