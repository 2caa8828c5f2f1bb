"""Any model by its folder, its name or its plugin's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import streamproc_mner_tweets_sm
from plugins.mner.tests.lexicon import LexiconModel
from plugins.saved_families import LABELS, save_random
from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc.fusion.capitals import CapitalsModel
from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.evaluation.loading import load_model

DEFAULT = "mner-tweets-sm"
FOLDER = streamproc_mner_tweets_sm.MODEL.folder
POST = FusionInput("Ada Lovelace in Paris")


@pytest.fixture(scope="module")
def torch_folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(BertTagger, {}, "bert-crf", tiny_encoder, tmp_path_factory.mktemp("saved") / "tiny")


def test_an_installed_model_goes_by_its_name_and_brings_its_notice() -> None:
    loaded = load_model(DEFAULT)
    assert (loaded.name, loaded.folder) == (DEFAULT, FOLDER)
    assert loaded.types == ("LOC", "MISC", "ORG", "PER")
    assert "research" in loaded.notice
    assert loaded.model.modalities


def test_a_folder_with_onnx_weights_is_served_as_the_installed_model_is() -> None:
    by_folder, by_name = load_model(str(FOLDER)), load_model(DEFAULT)
    assert by_folder.types == by_name.types
    assert by_folder.model.tag([POST]) == by_name.model.tag([POST])


def test_a_folder_with_torch_weights_is_served_by_the_plugin_of_its_network(torch_folder: Path) -> None:
    loaded = load_model(str(torch_folder))
    assert loaded.types == tuple(sorted({label[2:] for label in LABELS if label != "O"}))
    assert loaded.model.model == "tiny"
    assert len(loaded.model.tag([POST])) == 1


def test_a_plugin_that_needs_no_model_goes_by_its_name_or_its_class_and_takes_a_config() -> None:
    assert isinstance(load_model("capitals").model, CapitalsModel)
    found = load_model("plugins.mner.tests.lexicon:Lexicon", config={"names": {"Paris": "GPE"}})
    assert isinstance(found.model, LexiconModel)
    assert found.types is None
    assert [entity.type for entity in found.model.tag([POST])[0].entities] == ["GPE"]


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    with pytest.raises(
        PluginError, match=r"'mner-tweet' is no folder .*mner-tweets-sm.*capitals"
    ) as raised:
        load_model("mner-tweet")
    assert "\n" not in str(raised.value)


def test_a_plugin_that_needs_a_model_asks_for_a_folder() -> None:
    with pytest.raises(PluginError, match="bert-crf is a plugin that serves saved models: give the folder"):
        load_model("bert-crf")


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"no saved model: config\.json"):
        load_model(str(tmp_path))
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(PluginError, match="expected network and weights"):
        load_model(str(tmp_path))


def test_a_folder_of_a_plugin_that_is_not_installed_names_the_plugin(
    torch_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(torch_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"network": "bert-crff"}))
    with pytest.raises(PluginError, match="no plugin named 'bert-crff': did you mean bert-crf"):
        load_model(str(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"format": 99}, "newer"), ({"settings": {"nonsense": 1}}, "nonsense")],
)
def test_what_its_plugin_refuses_is_refused(
    torch_folder: Path, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    folder = shutil.copytree(torch_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(PluginError, match=said):
        load_model(str(folder))


def test_a_device_that_is_not_there_and_a_config_that_is_wrong_are_refused(torch_folder: Path) -> None:
    with pytest.raises(PluginError, match="runs on the cpu"):
        load_model(DEFAULT, device="cuda")
    with pytest.raises(PluginError, match="device 'nonsense' cannot be used"):
        load_model(str(torch_folder), device="nonsense")
    with pytest.raises(PluginError, match="handels"):
        load_model(DEFAULT, config={"handels": True})
