"""What holds for every engine: names, weights and what to do without them, versions, devices."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from plugins.vision.tests.conftest import picture
from streamproc.errors import PictureError, PluginError, SettingsError
from streamproc.vision.engine import look_at_each
from streamproc.vision.engines import engine_names, open_engine

NAMES = ("grid", "global", "global_inception", "regions", "objects", "captions")
CHANGES: dict[str, dict[str, Any]] = {
    "grid": {"crop": "centre"},
    "global": {"crop": "centre"},
    "global_inception": {"crop": "centre"},
    "regions": {"most": 5, "min_score": 0.5, "iou": 0.3, "shorter_side": 600},
    "objects": {"most": 5, "min_score": 0.3, "iou": 0.5, "most_attributes": 1, "min_attribute": 0.2},
    "captions": {"captions": 3, "max_tokens": 10},
}


@pytest.fixture
def folders(
    resnet_folder: Path,
    googlenet_folder: Path,
    detector_folders: dict[str, Path],
    bottom_up_folder: Path,
    blip_folder: Path,
) -> dict[str, Path]:
    return {
        "grid": resnet_folder,
        "global": resnet_folder,
        "global_inception": googlenet_folder,
        "regions": detector_folders["fasterrcnn_resnet50_fpn"],
        "objects": bottom_up_folder,
        "captions": blip_folder,
    }


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def _jpeg(seed: int) -> bytes:
    file = BytesIO()
    Image.fromarray(picture(seed)).save(file, "JPEG")
    return file.getvalue()


def test_the_engines_are_found_by_name() -> None:
    assert set(NAMES) <= set(engine_names())


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_checked_values_and_a_bad_picture_costs_itself(
    folders: dict[str, Path], name: str
) -> None:
    engine = open_engine(name, {"weights": str(folders[name])})
    engine.load()
    outcomes = look_at_each(engine, [_jpeg(1), b"no picture", _jpeg(2)])
    engine.close()
    assert [isinstance(outcome, PictureError) for outcome in outcomes] == [False, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_the_version_follows_weights_and_every_parameter(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    def version(folder: Path, **config: Any) -> str:
        found = open_engine(name, {"weights": str(folder), **config}).version
        assert len(found) == 16
        return found

    original = version(folders[name])
    copy = shutil.copytree(folders[name], tmp_path / "elsewhere")
    assert version(copy) == original  # where weights lie is not what they are
    changes = CHANGES[name] | {"precision": "bfloat16"}
    config = open_engine(name, {"weights": str(copy)}).config
    assert changes.keys() == config.model_dump().keys() - {"weights"}
    versions = {original, *(version(copy, **{key: value}) for key, value in changes.items())}
    state = load_file(copy / "model.safetensors")
    first = next(key for key, value in state.items() if value.is_floating_point())
    state[first] += 1
    save_file(state, copy / "model.safetensors")
    versions.add(version(copy))
    table = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(table | {"more": 1}))
    versions.add(version(copy))
    assert len(versions) == len(changes) + 3


def test_the_tokenizer_is_part_of_the_version(blip_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(blip_folder, tmp_path / "blip")
    before = open_engine("captions", {"weights": str(copy)}).version
    (copy / "tokenizer.json").write_text((copy / "tokenizer.json").read_text().replace("dog", "cat"))
    assert open_engine("captions", {"weights": str(copy)}).version != before


def test_engines_on_the_same_weights_have_versions_of_their_own(folders: dict[str, Path]) -> None:
    versions = {open_engine(name, {"weights": str(folders[name])}).version for name in ("grid", "global")}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("grid", r"grid: no weights 'timm/resnet152\.tv_in1k' on this machine: get them with "
                 r"`streamproc models pull timm/resnet152\.tv_in1k`"),
        ("global", r"`streamproc models pull timm/resnet152\.tv_in1k`"),
        ("captions", r"`streamproc models pull Salesforce/blip-image-captioning-base`"),
        ("global_inception", r"no weights are named: .*`streamproc vision convert googlenet-1378be20\.pth "
                             r"--network googlenet --to FOLDER`; vision\.engines\.global_inception"),
        ("regions", r"`streamproc vision convert fasterrcnn_resnet50_fpn_coco-258fb6c6\.pth --network "),
        ("objects", r"`streamproc vision convert pytorch_model\.bin --network bottom_up --to FOLDER`"),
    ],
)  # fmt: skip
def test_without_weights_the_error_says_what_to_run(no_cache: Path, name: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        open_engine(name, {})


def test_weights_are_found_by_name_in_the_hubs_cache(no_cache: Path, resnet_folder: Path) -> None:
    model = no_cache / "models--timm--resnet152.tv_in1k"
    shutil.copytree(resnet_folder, model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    by_name = open_engine("grid", {})
    assert by_name.version == open_engine("grid", {"weights": str(resnet_folder)}).version
    by_name.load()
    (model / "snapshots" / "abc" / "model.safetensors").unlink()
    with pytest.raises(PluginError, match=r"grid: no model\.safetensors in .*: get them with"):
        open_engine("grid", {})


def test_timms_config_names_the_network(resnet_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(resnet_folder, tmp_path / "timm")
    (copy / "config.json").write_text('{"architecture": "resnet50", "num_classes": 1000}')
    with pytest.raises(PluginError, match=r"not the weights of this network"):  # the tiny one's, of course
        open_engine("grid", {"weights": str(copy)}).load()
    (copy / "config.json").write_text('{"architecture": "vit_base_patch16_224"}')
    with pytest.raises(PluginError, match=r"config\.json does not describe such a network: network"):
        open_engine("grid", {"weights": str(copy)}).load()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"network": "googlenet"}'])
def test_a_folder_of_something_else_is_refused(resnet_folder: Path, tmp_path: Path, content: str) -> None:
    copy = shutil.copytree(resnet_folder, tmp_path / "odd")
    (copy / "config.json").write_text(content)
    with pytest.raises(PluginError, match=r"grid: .*config\.json"):
        open_engine("grid", {"weights": str(copy)}).load()


def test_weights_that_are_not_safetensors_are_refused(resnet_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(resnet_folder, tmp_path / "odd")
    (copy / "model.safetensors").write_bytes(b"\x80\x04not safetensors")
    engine = open_engine("grid", {"weights": str(copy)})
    with pytest.raises(PluginError, match=r"model\.safetensors cannot be read"):
        engine.load()


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_another_network_are_refused(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    copy = shutil.copytree(folders[name], tmp_path / "odd")
    save_file({"other": torch.zeros(1)}, copy / "model.safetensors")
    with pytest.raises(PluginError, match="not the weights of"):
        open_engine(name, {"weights": str(copy)}).load()


def test_devices(resnet_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"weights": str(resnet_folder)}
    with pytest.raises(PluginError, match="device is 'mps', expected cpu, cuda or cuda:N"):
        open_engine("grid", weights, "mps")
    with pytest.raises(PluginError, match="float16 needs a GPU"):
        open_engine("grid", {**weights, "precision": "float16"})
    engine = open_engine("grid", {**weights, "precision": "float16"}, "cuda:1")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(
        PluginError, match=r"torch sees no cuda:1 here: set vision\.engines\.grid\.device to cpu"
    ):
        engine.load()


def test_unknown_and_impossible_parameters_are_refused(blip_folder: Path) -> None:
    for wrong in ({"captions": 11}, {"max_tokens": 21}, {"beams": 3}, {"precision": "int8"}):
        with pytest.raises(SettingsError, match=r"vision\.engines\.captions: "):
            open_engine("captions", {"weights": str(blip_folder), **wrong})


def test_opening_an_engine_imports_neither_torch_nor_transformers(folders: dict[str, Path]) -> None:
    opened = "; ".join(
        f"open_engine({name!r}, {{'weights': {str(folder)!r}}})" for name, folder in folders.items()
    )
    program = (
        f"import sys; from streamproc.vision.engines import open_engine; {opened}; "
        "print([name for name in ('torch', 'torchvision', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
