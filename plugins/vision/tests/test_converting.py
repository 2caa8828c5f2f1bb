"""Public checkpoints become weights that engines look with, and no code in them is ever run."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import GoogLeNet, ResNet
from torchvision.models.resnet import Bottleneck

from plugins import commands
from plugins.vision.tests.conftest import TINY_BOTTOM_UP, TINY_DETECTOR, picture, randomise
from plugins.vision.tests.public_bottom_up import public_state
from streamproc_vision.fpn_detector import make_detector
from streamproc_vision.grid import GridEngine
from streamproc_vision.inception import GlobalInceptionEngine
from streamproc_vision.objects import ObjectsEngine
from streamproc_vision.regions import RegionsEngine
from streamproc_vision.sizes import DetectorSizes
from streamproc_vision.state import read_state


def _arguments(file: Path, network: str, folder: Path) -> tuple[str | Path, ...]:
    return ("vision", "convert", file, "--network", network, "--to", folder)


def _converted(file: Path, network: str, folder: Path, *options: str | Path) -> Path:
    done = commands.run(*_arguments(file, network, folder), *options)
    assert done.exit_code == 0, done.exception
    assert f'weights = "{folder}"' in done.output
    return folder


def _refused(file: Path, network: str, folder: Path, *options: str | Path) -> str:
    code, line = commands.refused(*_arguments(file, network, folder), *options)
    assert code == 2
    assert not (folder / "config.json").exists()
    return line


def _save(file: Path, state: Any) -> Path:
    torch.save(state, file)
    return file


@pytest.fixture(scope="module")
def resnet152() -> ResNet:
    torch.manual_seed(0)
    network = ResNet(Bottleneck, [3, 8, 36, 3], width_per_group=1)
    randomise(network)
    return network


def test_torchvisions_resnet152_is_converted_without_its_classifier(
    resnet152: ResNet, tmp_path: Path
) -> None:
    file = _save(tmp_path / "resnet152-394f9c45.pth", resnet152.state_dict())
    folder = _converted(file, "resnet152", tmp_path / "to")
    state = read_state(folder)
    expected = {key: value for key, value in resnet152.state_dict().items() if not key.startswith("fc.")}
    assert state.keys() == expected.keys()
    assert all(state[key].equal(expected[key]) for key in expected)
    GridEngine(GridEngine.Config(weights=str(folder))).load()


def test_torchvisions_googlenet_is_converted_without_its_side_classifiers(tmp_path: Path) -> None:
    network = GoogLeNet(num_classes=3, init_weights=False)
    folder = _converted(_save(tmp_path / "g.pth", network.state_dict()), "googlenet", tmp_path / "to")
    assert json.loads((folder / "config.json").read_text())["transform_input"] is True
    assert not [key for key in read_state(folder) if key.startswith(("aux", "fc"))]
    GlobalInceptionEngine(GlobalInceptionEngine.Config(weights=str(folder))).load()


@pytest.mark.parametrize("network", ["fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2"])
def test_torchvisions_detectors_are_converted(tmp_path: Path, network: str) -> None:
    config = {**TINY_DETECTOR, "network": network}
    made = make_detector(DetectorSizes(**config))
    randomise(made)
    state = made.state_dict()
    if network == "fasterrcnn_resnet50_fpn":  # the published file has the names of its time
        old = {"rpn.head.conv.0.0.": "rpn.head.conv."}
        for kind in ("inner", "layer"):
            for level in range(4):
                prefix = f"backbone.fpn.{kind}_blocks.{level}."
                old[f"{prefix}0."] = prefix
        for new, name in old.items():
            for part in ("weight", "bias"):
                state[name + part] = state.pop(new + part)
    folder = _converted(_save(tmp_path / "d.pth", state), network, tmp_path / "to")
    assert json.loads((folder / "config.json").read_text()) == config
    expected = made.state_dict()
    assert all(value.equal(expected[key]) for key, value in read_state(folder).items())
    RegionsEngine(RegionsEngine.Config(weights=str(folder))).load()


@pytest.fixture
def public(bottom_up_folder: Path, tmp_path: Path) -> dict[str, Tensor]:
    """The tiny Bottom-Up network under the public checkpoint's names, with the lists of names."""
    (tmp_path / "objects_vocab.txt").write_text("man,men\ndog\nStadium\nsign\n")
    (tmp_path / "attributes_vocab.txt").write_text("red\nold\nsmiling\ntall\nwet\n")
    return public_state(read_state(bottom_up_folder))


def _same_objects(folder: Path, original: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key in ("shorter_side", "longer_side", "proposals_before", "proposals_after"):
        config[key] = TINY_BOTTOM_UP[key]  # the published ones are not in the checkpoint
    assert config | {"mean_bgr": None, "proposals_iou": None} == TINY_BOTTOM_UP | {
        "mean_bgr": None,
        "proposals_iou": None,
    }
    (folder / "config.json").write_text(json.dumps(config))
    found = []
    for weights in (folder, original):
        engine = ObjectsEngine(ObjectsEngine.Config(weights=str(weights)))
        engine.load()
        found += engine.look([picture(7, 150, 100)])
    assert found[0] == found[1]
    assert found[0].tags  # type: ignore[union-attr]


def test_the_public_bottom_up_checkpoint_finds_the_same_objects(
    public: dict[str, Tensor], bottom_up_folder: Path, tmp_path: Path
) -> None:
    file = _save(tmp_path / "pytorch_model.bin", OrderedDict(public))
    _same_objects(_converted(file, "bottom_up", tmp_path / "to"), bottom_up_folder)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_the_pickle_of_its_port_finds_the_same_objects(
    public: dict[str, Tensor], bottom_up_folder: Path, tmp_path: Path, protocol: int
) -> None:
    arrays = {key: value.numpy() for key, value in public.items()}
    some = next(key for key, value in arrays.items() if value.ndim == 2)
    arrays[some] = np.asfortranarray(arrays[some])
    held = {"model": OrderedDict(arrays), "__author__": "caffe", "matching_heuristics": True}
    file = tmp_path / "faster_rcnn_from_caffe_attr.pkl"
    file.write_bytes(pickle.dumps(held, protocol=protocol))
    _same_objects(_converted(file, "bottom_up", tmp_path / "to"), bottom_up_folder)


def test_anchors_that_the_checkpoint_leaves_out_are_the_published_ones(
    public: dict[str, Tensor], tmp_path: Path
) -> None:
    del public["proposal_generator.anchor_generator.cell_anchors.0"]
    twelve = {"objectness_logits": 12, "anchor_deltas": 48}
    for name, channels in twelve.items():
        for part in ("weight", "bias"):
            key = f"proposal_generator.rpn_head.{name}.{part}"
            public[key] = torch.zeros(channels, *public[key].shape[1:])
    folder = _converted(_save(tmp_path / "m.bin", public), "bottom_up", tmp_path / "to")
    cells = read_state(folder)["cells"]
    expected = [
        (-w / 2, -h / 2, w / 2, h / 2)
        for side in (64, 128, 256, 512)
        for h, w in ((side * 2**-0.5, side * 2**0.5), (side, side), (side * 2**0.5, side * 2**-0.5))
    ]
    np.testing.assert_allclose(cells, expected, rtol=1e-5)


class _Code:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("name", ["weights.pth", "pytorch_model.bin", "weights.pkl"])
def test_a_pickle_with_code_is_refused_and_the_code_not_run(tmp_path: Path, name: str) -> None:
    target, file = tmp_path / "was run", tmp_path / name
    held = {"model": {"weight": np.zeros(3), "code": _Code(target)}}
    if file.suffix == ".pkl":
        file.write_bytes(pickle.dumps(held))
    else:
        torch.save({"weight": torch.zeros(3), "code": _Code(target)}, file)
    line = _refused(file, "bottom_up", tmp_path / "to")
    assert "alone, which is all that is read" in line
    assert not target.exists()
    if file.suffix == ".pkl":
        pickle.loads(file.read_bytes())
    else:
        torch.load(file, weights_only=False)
    assert target.exists()  # it would have been


@pytest.mark.parametrize(
    "held",
    [
        np.array([object], dtype=object),
        np.zeros(3, ">f4"),
        np.array(["text"]),
        np.float64(1.0),
    ],
    ids=["objects", "big-endian", "text", "scalar"],
)
def test_a_pickle_of_other_arrays_is_refused(tmp_path: Path, held: Any) -> None:
    file = tmp_path / "weights.pkl"
    file.write_bytes(pickle.dumps({"model": {"weight": held}}, protocol=2))
    assert "not a pickle of numpy arrays alone" in _refused(file, "bottom_up", tmp_path / "to")


@pytest.mark.parametrize("cut", [0, 1, 40, -10])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    for file in (tmp_path / "weights.pkl", tmp_path / "weights.pth"):
        if file.suffix == ".pkl":
            file.write_bytes(pickle.dumps({"weight": np.ones(100)}))
        else:
            torch.save({"weight": torch.ones(100)}, file)
        file.write_bytes(file.read_bytes()[:cut])
        assert str(file) in _refused(file, "googlenet", tmp_path / "to")


def test_another_networks_weights_are_refused(resnet152: ResNet, tmp_path: Path) -> None:
    state = resnet152.state_dict()
    file = _save(tmp_path / "resnet.pth", state)
    line = _refused(file, "googlenet", tmp_path / "to")
    assert "not the weights of this network: no inception5b.branch1.conv.weight" in line
    line = _refused(file, "fasterrcnn_resnet50_fpn", tmp_path / "to")
    assert "no roi_heads.box_head.fc6.weight among" in line
    shallow = ResNet(Bottleneck, [3, 4, 6, 3], width_per_group=1)
    line = _refused(_save(tmp_path / "50.pth", shallow.state_dict()), "resnet152", tmp_path / "to")
    assert "a ResNet with (3, 4, 6, 3) blocks, expected a ResNet-152" in line
    del state["layer3.7.bn2.bias"]
    line = _refused(_save(tmp_path / "part.pth", state), "resnet152", tmp_path / "to")
    assert "layer3.7.bn2.bias is missing" in line
    assert "got a list without any" in _refused(
        _save(tmp_path / "l.pth", [1]), "resnet152", tmp_path / "to"
    )


def test_names_must_be_as_many_as_the_network_knows(public: dict[str, Tensor], tmp_path: Path) -> None:
    file = _save(tmp_path / "m.bin", public)
    (tmp_path / "few.txt").write_text("man\ndog\n")
    line = _refused(file, "bottom_up", tmp_path / "to", "--objects", tmp_path / "few.txt")
    assert "2 names of object classes, the network knows 4" in line
    (tmp_path / "attributes_vocab.txt").unlink()
    line = _refused(file, "bottom_up", tmp_path / "to")
    assert "attributes_vocab.txt: names cannot be read" in line


def test_weights_that_are_there_are_not_overwritten(resnet152: ResNet, tmp_path: Path) -> None:
    file = _save(tmp_path / "r.pth", resnet152.state_dict())
    folder = _converted(file, "resnet152", tmp_path / "to")
    before = (folder / "config.json").read_bytes()
    _, line = commands.refused(*_arguments(file, "resnet152", folder))
    assert "holds weights already: give another folder with --to" in line
    assert (folder / "config.json").read_bytes() == before
