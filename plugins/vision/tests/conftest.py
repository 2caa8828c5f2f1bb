"""Tiny networks with random weights, in folders as the engines read them, and pictures to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

from plugins.tiny_tokenizers import write_word_piece
from streamproc_vision.bottom_up import BottomUp
from streamproc_vision.boxes import cell_anchors
from streamproc_vision.conv_net import make_googlenet, make_resnet
from streamproc_vision.fpn_detector import make_detector
from streamproc_vision.sizes import BottomUpSizes, DetectorSizes, ResNetSizes

DETECTORS = ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2")
TINY_RESNET: dict[str, Any] = {"network": "resnet", "blocks": [1, 1, 1, 1], "width_per_group": 4}
TINY_DETECTOR: dict[str, Any] = {
    "blocks": [1, 1, 1, 1], "width_per_group": 4, "channels": 8, "features": 1024, "classes": 4,
}  # fmt: skip
TINY_BOTTOM_UP: dict[str, Any] = {
    "network": "bottom_up",
    "blocks": [1, 1, 2, 1],
    "width_per_group": 4,
    "proposal_channels": 8,
    "anchors": 4,
    "class_embedding": 6,
    "attribute_channels": 10,
    "shorter_side": 96,
    "longer_side": 160,
    "proposals_before": 60,
    "proposals_after": 24,
    "objects": ["man", "dog", "stadium", "sign"],
    "attributes": ["red", "old", "smiling", "tall", "wet"],
}


def save_weights(folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    return folder


def randomise(module: nn.Module) -> None:
    """Batch norms as after training: fresh ones do nothing, and would hide where they are missing."""
    for key, value in module.state_dict().items():
        if key.endswith(("running_mean", "bias")):
            value.normal_(std=0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)


def picture(seed: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Coloured blocks: a picture that has edges, the same for a seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST))


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = make_resnet(ResNetSizes(**TINY_RESNET))
    randomise(network)
    return save_weights(tmp_path_factory.mktemp("resnet"), TINY_RESNET, network.state_dict())


@pytest.fixture(scope="session")
def googlenet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = make_googlenet()
    randomise(network)
    config = {"network": "googlenet", "transform_input": True}
    return save_weights(tmp_path_factory.mktemp("googlenet"), config, network.state_dict())


@pytest.fixture(scope="session")
def detector_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """torchvision's Faster R-CNN by name, the first release and the second one."""
    return {name: _save_detector(name, tmp_path_factory.mktemp(name)) for name in DETECTORS}


@pytest.fixture(params=DETECTORS)
def detector_folder(request: pytest.FixtureRequest, detector_folders: dict[str, Path]) -> Path:
    """Each of them."""
    return detector_folders[request.param]


def _save_detector(name: str, folder: Path) -> Path:
    config = {"network": name, **TINY_DETECTOR}
    torch.manual_seed(0)
    network = make_detector(DetectorSizes(**config))
    randomise(network)
    predictor = network.roi_heads.box_predictor
    assert isinstance(predictor, FastRCNNPredictor)
    with torch.no_grad():  # fresh predictors say nearly the same of everything
        predictor.cls_score.weight.normal_(std=0.5)
        predictor.cls_score.weight -= predictor.cls_score.weight.mean(dim=1, keepdim=True)
        predictor.bbox_pred.weight.normal_(std=0.2)
    return save_weights(folder, config, network.state_dict())


@pytest.fixture(scope="session")
def bottom_up_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = BottomUp(BottomUpSizes(**TINY_BOTTOM_UP))
    randomise(network)
    with torch.no_grad():
        network.get_buffer("cells").copy_(cell_anchors((24, 48), (0.5, 2.0)))
        # So that proposals are spread, classes are neither sure nor alike, and boxes move a little.
        scales = {
            network.proposal: 0.005, network.objectness: 0.5, network.anchor_deltas: 0.02,
            network.classes: 0.01, network.boxes: 0.004,
            network.attribute_hidden: 0.02, network.attributes: 0.3,
        }  # fmt: skip
        for layer, deviation in scales.items():
            layer.weight.normal_(std=deviation)
        for layer in (network.classes, network.attribute_hidden):  # what all regions share says nothing
            layer.weight -= layer.weight.mean(dim=1, keepdim=True)
    return save_weights(tmp_path_factory.mktemp("bottom_up"), TINY_BOTTOM_UP, network.state_dict())


@pytest.fixture(scope="session")
def blip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BlipConfig, BlipForConditionalGeneration

    folder = tmp_path_factory.mktemp("blip")
    words = write_word_piece(folder / "tokenizer.json")
    torch.manual_seed(0)
    config = BlipConfig(
        text_config={
            "vocab_size": words + 2, "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32,
            "bos_token_id": words, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0,
            "initializer_range": 0.5,
        },
        vision_config={
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8, "initializer_range": 0.5,
        },
        initializer_range=0.5,
    )  # fmt: skip
    BlipForConditionalGeneration(config).save_pretrained(folder)
    return folder
