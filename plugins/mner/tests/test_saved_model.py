"""The folder of a saved model: what is refused with which reason, and what its version covers."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from plugins.saved_families import save_random
from streamproc.errors import PluginError
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.exporting.exported import export_model
from streamproc_mner.saved_model import SavedModel, read_model


@pytest.fixture(scope="module")
def folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of five labels."""
    made = tmp_path_factory.mktemp("exported")
    source = save_random(ItaTagger, {"word_shapes": True}, "ita", tiny_encoder, made / "torch")
    return export_model(source, made / "onnx").folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _load(folder: Path) -> SavedModel:
    return read_model(folder, "model.onnx")


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", ["config.json", "labels.json", "tokenizer.json", "model.onnx"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(PluginError, match=f"{name}: missing"):
        _load(copy)


def test_weights_that_are_cut_short_are_refused(copy: Path) -> None:
    path = copy / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PluginError, match=r"model\.onnx: \d+ bytes that are not the \d+ .*get it again"):
        _load(copy)


def test_changed_weights_are_refused(copy: Path) -> None:
    path = copy / "model.onnx"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(PluginError, match="corrupt, cut short or of another model"):
        _load(copy)


def test_a_newer_format_is_refused_with_what_to_do(copy: Path) -> None:
    _edit(copy / "config.json", format=2, surprise=True)
    with pytest.raises(PluginError, match=r"format 2 is newer than 1.*upgrade streamproc-mner"):
        _load(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"crf": None}, "crf is missing"),
        ({"crf": {"start": [0], "transitions": [[0]], "end": [0]}}, "crf is not of 5 labels"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_config_is_refused(copy: Path, changes: dict[str, object], message: str) -> None:
    _edit(copy / "config.json", **changes)
    with pytest.raises(PluginError, match=message):
        _load(copy)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{", '{"a": 1}', '["B-PER", "O", "I-PER"]', '["O", "B-PER"]']
)
def test_wrong_labels_are_refused(copy: Path, content: str) -> None:
    (copy / "labels.json").write_text(content)
    with pytest.raises(PluginError, match=r"labels\.json"):
        _load(copy)


def test_a_pickle_beside_the_weights_is_refused(copy: Path) -> None:
    (copy / "optimizer.pt").write_bytes(b"")
    with pytest.raises(PluginError, match=r"optimizer\.pt: looks like a pickle"):
        _load(copy)


def test_a_pickle_in_a_folder_below_is_refused(copy: Path) -> None:
    (copy / "old").mkdir()
    (copy / "old" / "weights.PKL").write_bytes(b"")
    with pytest.raises(PluginError, match=r"weights\.PKL: looks like a pickle"):
        _load(copy)


@pytest.mark.parametrize("name", ["tokenizer.json", "labels.json"])
def test_a_changed_file_beside_the_weights_is_refused(copy: Path, name: str) -> None:
    path = copy / name
    path.write_text(path.read_text() + "\n")
    with pytest.raises(PluginError, match=rf"{name}: not the file that config.json names"):
        _load(copy)


def test_the_version_covers_more_than_the_weights(copy: Path) -> None:
    versions = {_load(copy).version}
    tokenizer = copy / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    files = json.loads((copy / "config.json").read_text())["files"]
    digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    _edit(copy / "config.json", files=files | {"tokenizer.json": digest})
    versions.add(_load(copy).version)
    _edit(copy / "config.json", temperature=2.0)
    versions.add(_load(copy).version)
    assert len(versions) == 3


def test_a_model_of_the_first_release_keeps_its_version(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    for name in ("files", "temperature"):
        del config[name]
    (copy / "config.json").write_text(json.dumps(config))
    assert _load(copy).version == config["weights"]["sha256"][:12]


def test_weights_of_another_form_are_refused(copy: Path) -> None:
    with pytest.raises(PluginError, match=r"holds model\.onnx, expected model\.safetensors.*mner-onnx"):
        read_model(copy, "model.safetensors")
