"""The Bottom-Up network as its public checkpoints have it: their names, and a forward in plain functions.

An oracle that shares nothing with `streamproc_vision.bottom_up` but torch's convolutions and RoI pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms, roi_pool

_HEADS = {
    "proposal": "proposal_generator.rpn_head.conv",
    "objectness": "proposal_generator.rpn_head.objectness_logits",
    "anchor_deltas": "proposal_generator.rpn_head.anchor_deltas",
    "classes": "roi_heads.box_predictor.cls_score",
    "boxes": "roi_heads.box_predictor.bbox_pred",
    "class_embedding": "roi_heads.box_predictor.cls_embedding",
    "attribute_hidden": "roi_heads.box_predictor.fc_attr",
    "attributes": "roi_heads.box_predictor.attr_score",
}
_ANCHORS = "proposal_generator.anchor_generator.cell_anchors.0"


def public_state(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under the public names."""
    return {_public_name(key): value.clone() for key, value in ours.items()}


def _public_name(key: str) -> str:
    head, _, part = key.partition(".")
    if key == "cells":
        return _ANCHORS
    if head in _HEADS:
        return f"{_HEADS[head]}.{part}"
    stem = {"conv1": "backbone.stem.conv1", "bn1": "backbone.stem.conv1.norm"}
    layer, _, inner = part.partition(".")
    if layer in stem:
        return f"{stem[layer]}.{inner}"
    number = int(layer.removeprefix("layer")) + 1
    prefix = "roi_heads" if number == 5 else "backbone"
    block, _, inner = inner.partition(".")
    for old, new in {"downsample.0": "shortcut", "downsample.1": "shortcut.norm"}.items():
        inner = inner.replace(old, new)
    for conv in "123":
        inner = inner.replace(f"bn{conv}.", f"conv{conv}.norm.")
    return f"{prefix}.res{number}.{block}.{inner}"


def _norm(state: Mapping[str, Tensor], name: str, maps: Tensor) -> Tensor:
    mean, variance = state[f"{name}.norm.running_mean"], state[f"{name}.norm.running_var"]
    scale = state[f"{name}.norm.weight"] / torch.sqrt(variance + 1e-5)
    shift = state[f"{name}.norm.bias"] - mean * scale
    return maps * scale[:, None, None] + shift[:, None, None]


def _block(state: Mapping[str, Tensor], name: str, maps: Tensor, stride: int, dilation: int) -> Tensor:
    def conv(part: str, given: Tensor, **options: Any) -> Tensor:
        return _norm(
            state, f"{name}.{part}", functional.conv2d(given, state[f"{name}.{part}.weight"], **options)
        )

    hidden = functional.relu(conv("conv1", maps, stride=stride))
    hidden = functional.relu(conv("conv2", hidden, padding=dilation, dilation=dilation))
    short = conv("shortcut", maps, stride=stride) if f"{name}.shortcut.weight" in state else maps
    return functional.relu(conv("conv3", hidden) + short)


def _stage(state: Mapping[str, Tensor], name: str, maps: Tensor, stride: int, dilation: int = 1) -> Tensor:
    block = 0
    while f"{name}.{block}.conv1.weight" in state:
        maps = _block(state, f"{name}.{block}", maps, stride if block == 0 else 1, dilation)
        block += 1
    return maps


def forward(
    state: Mapping[str, Tensor], pixels: Tensor, *, before: int, after: int, iou: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Proposals (R, 4), class logits (R, C + 1), box deltas (R, 4 C) and features (R, 2048)."""
    height, width = pixels.shape[-2:]
    stem = "backbone.stem.conv1"
    maps = _norm(state, stem, functional.conv2d(pixels, state[f"{stem}.weight"], stride=2, padding=3))
    maps = functional.max_pool2d(functional.relu(maps), 3, stride=2, ceil_mode=True)
    for number, stride in ((2, 1), (3, 2), (4, 2)):
        maps = _stage(state, f"backbone.res{number}", maps, stride)

    rpn = "proposal_generator.rpn_head"
    hidden = functional.relu(
        functional.conv2d(maps, state[f"{rpn}.conv.weight"], state[f"{rpn}.conv.bias"], padding=1)
    )
    logits, deltas = (
        functional.conv2d(hidden, state[f"{rpn}.{part}.weight"], state[f"{rpn}.{part}.bias"])[0]
        for part in ("objectness_logits", "anchor_deltas")
    )
    found = []
    for row in range(maps.shape[2]):
        for column in range(maps.shape[3]):
            for number, cell in enumerate(state[_ANCHORS].tolist()):
                anchor = [
                    cell[0] + 16 * column,
                    cell[1] + 16 * row,
                    cell[2] + 16 * column,
                    cell[3] + 16 * row,
                ]
                moves = deltas[number * 4 : number * 4 + 4, row, column].tolist()
                box = moved(anchor, moves, (1, 1, 1, 1), width, height)
                found.append((float(logits[number, row, column]), box))
    found.sort(key=lambda candidate: -candidate[0])
    found = [(score, box) for score, box in found[:before] if box[2] > box[0] and box[3] > box[1]]
    boxes, scores = torch.tensor([box for _, box in found]), torch.tensor([score for score, _ in found])
    proposals = boxes[nms(boxes, scores, iou)[:after]]

    pooled = roi_pool(maps, [proposals], 14, 1 / 16)
    features = _stage(state, "roi_heads.res5", pooled, 1, dilation=2).mean((2, 3))
    predictor = "roi_heads.box_predictor"
    scores, boxes = (
        features @ state[f"{predictor}.{part}.weight"].T + state[f"{predictor}.{part}.bias"]
        for part in ("cls_score", "bbox_pred")
    )
    return proposals, scores, boxes, features


def attributes(state: Mapping[str, Tensor], feature: Tensor, kind: int) -> list[float]:
    """Probabilities of attributes for one region of a class, without that of having none."""
    predictor = "roi_heads.box_predictor"
    both = torch.cat((feature, state[f"{predictor}.cls_embedding.weight"][kind]))
    hidden = functional.relu(
        state[f"{predictor}.fc_attr.weight"] @ both + state[f"{predictor}.fc_attr.bias"]
    )
    logits = state[f"{predictor}.attr_score.weight"] @ hidden + state[f"{predictor}.attr_score.bias"]
    return logits.softmax(0)[:-1].tolist()


def moved(
    box: list[float], moves: list[float], weights: tuple[float, ...], width: int, height: int
) -> list[float]:
    """A box moved and stretched, and cut at the picture's sides."""
    dx, dy, dw, dh = (move / weight for move, weight in zip(moves, weights, strict=True))
    most = torch.tensor(1000 / 16).log().item()
    w, h = box[2] - box[0], box[3] - box[1]
    x, y = box[0] + w / 2 + dx * w, box[1] + h / 2 + dy * h
    w = w * torch.tensor(min(dw, most)).exp().item()
    h = h * torch.tensor(min(dh, most)).exp().item()
    return [
        min(max(x - w / 2, 0), width), min(max(y - h / 2, 0), height),
        min(max(x + w / 2, 0), width), min(max(y + h / 2, 0), height),
    ]  # fmt: skip
