"""Regions of Faster R-CNN, against torchvision's own forward and loops over what it computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torchvision.models import detection

from plugins.vision.tests.conftest import DETECTORS, picture
from plugins.vision.tests.plain_boxes import overlap
from streamproc.vision.checks import check_value
from streamproc.vision.visuals import Regions
from streamproc_vision.fpn_detector import make_detector
from streamproc_vision.regions import RegionsEngine
from streamproc_vision.sizes import DetectorSizes

SIDE = 96


def _engine(folder: Path, **config: Any) -> RegionsEngine:
    engine = RegionsEngine(RegionsEngine.Config(weights=str(folder), **{"shorter_side": SIDE, **config}))
    engine.load()
    return engine


def _look(engine: RegionsEngine, pixels: NDArray[np.uint8]) -> Regions:
    (value,) = engine.look([pixels])
    check_value("regions", value, width=1024)
    assert isinstance(value, Regions)
    return value


def _torchvision(folder: Path, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """What torchvision's forward computes on its way, and what it gives."""
    sizes = DetectorSizes.model_validate_json((folder / "config.json").read_text())
    network = make_detector(sizes, shorter=SIDE, longer=round(SIDE * 1333 / 800)).eval()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    caught: dict[str, Any] = {}
    modules: dict[str, Any] = {
        "rpn": network.rpn, "head": network.roi_heads.box_head, "predictor": network.roi_heads.box_predictor
    }  # fmt: skip
    for name, module in modules.items():
        module.register_forward_hook(lambda *given, name=name: caught.update({name: given[2]}))
    network.transform.register_forward_hook(lambda *given: caught.update(size=given[2][0].image_sizes[0]))
    with torch.no_grad():
        caught["given"] = network([torch.tensor(pixels).permute(2, 0, 1) / 255])[0]
    return caught


def _plain_regions(
    caught: dict[str, Any], *, most: int, min_score: float, iou: float
) -> list[tuple[list[float], float, list[float]]]:
    """Boxes as fractions, scores and features, region by region in loops."""
    height, width = caught["size"]
    logits, deltas = caught["predictor"]
    candidates = []
    for row, proposal in enumerate(caught["rpn"][0][0].tolist()):
        exps = np.exp(logits[row].double().numpy() - logits[row].max().item())
        kind = 1 + int(exps[1:].argmax())
        dx, dy, dw, dh = deltas[row, kind * 4 : kind * 4 + 4].tolist()
        w, h = proposal[2] - proposal[0], proposal[3] - proposal[1]
        x, y = proposal[0] + w / 2 + dx / 10 * w, proposal[1] + h / 2 + dy / 10 * h
        most_growth = np.log(1000 / 16)
        w, h = w * np.exp(min(dw / 5, most_growth)), h * np.exp(min(dh / 5, most_growth))
        box = [
            min(max(x - w / 2, 0), width), min(max(y - h / 2, 0), height),
            min(max(x + w / 2, 0), width), min(max(y + h / 2, 0), height),
        ]  # fmt: skip
        score = exps[kind] / exps.sum()
        if score >= min_score and box[2] - box[0] >= 0.01 and box[3] - box[1] >= 0.01:
            candidates.append((score, kind, box, caught["head"][row].tolist()))
    candidates.sort(key=lambda candidate: -candidate[0])
    kept: list[tuple[float, int, list[float], list[float]]] = []
    for candidate in candidates:
        if all(other[1] != candidate[1] or overlap(other[2], candidate[2]) <= iou for other in kept):
            kept.append(candidate)
    scale = [width, height, width, height]
    return [
        ([side / whole for side, whole in zip(box, scale, strict=True)], score, features)
        for score, _, box, features in kept[:most]
    ]


@pytest.mark.parametrize(
    "config",
    [{}, {"most": 5}, {"min_score": 0.45}, {"iou": 0.9, "most": 100}],
    ids=["defaults", "five", "certain", "overlapping"],
)
def test_regions_are_those_of_torchvision_by_plain_loops(
    detector_folder: Path, config: dict[str, Any]
) -> None:
    pixels = picture(1, 120, 80)
    expected = _plain_regions(
        _torchvision(detector_folder, pixels), **{"most": 36, "min_score": 0.0, "iou": 0.5, **config}
    )
    value = _look(_engine(detector_folder, **config), pixels)
    assert len(value.scores) == len(expected) > 1
    for box, score, features, wanted in zip(
        value.boxes, value.scores, value.features, expected, strict=True
    ):
        np.testing.assert_allclose(box, wanted[0], atol=2e-3)
        np.testing.assert_allclose(score, wanted[1], atol=2e-3)
        np.testing.assert_allclose(features, wanted[2], atol=2e-3, rtol=2e-3)


def test_torchvisions_own_best_detection_is_the_first_region(detector_folder: Path) -> None:
    pixels = picture(2, 120, 80)
    given = _torchvision(detector_folder, pixels)["given"]
    value = _look(_engine(detector_folder), pixels)
    np.testing.assert_allclose(value.scores[0], given["scores"][0], atol=2e-3)
    expected = given["boxes"][0].numpy() / [120, 80, 120, 80]
    np.testing.assert_allclose(value.boxes[0], expected, atol=5e-3)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_network_has_the_weights_of_torchvisions(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(detection, name)(weights=None, weights_backbone=None).state_dict()
        sizes = DetectorSizes(network=name, blocks=(3, 4, 6, 3))  # type: ignore[arg-type]
        ours = make_detector(sizes).state_dict()
    for state in (theirs, ours):  # those of norms that count batches
        for key in [key for key in state if key.endswith("num_batches_tracked")]:
            del state[key]
    assert {key: value.shape for key, value in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_a_score_that_nothing_reaches_leaves_no_regions(detector_folder: Path) -> None:
    value = _look(_engine(detector_folder, min_score=1.0), picture(3))
    assert value.features.shape == (0, 1024)
    assert value.boxes.shape == (0, 4)


def test_a_picture_of_one_colour_still_has_its_best_regions(detector_folder: Path) -> None:
    value = _look(_engine(detector_folder, most=7), np.full((60, 80, 3), 128, np.uint8))
    assert 1 <= len(value.scores) <= 7


def test_a_pictures_regions_do_not_depend_on_its_company(detector_folder: Path) -> None:
    sizes = [(96, 64), (1, 1), (2048, 3), (5, 900)]
    pictures = [picture(seed, *size) for seed, size in enumerate(sizes)]
    engine = _engine(detector_folder)
    for alone, beside in zip(pictures, engine.look(pictures), strict=True):
        value = _look(engine, alone)
        assert isinstance(beside, Regions)
        np.testing.assert_allclose(value.boxes, beside.boxes, atol=1e-3)
        np.testing.assert_allclose(value.features, beside.features, atol=1e-3, rtol=1e-3)


def test_bfloat16_finds_nearly_the_same(detector_folder: Path) -> None:
    pixels = picture(4)
    exact = _look(_engine(detector_folder, most=100), pixels)
    rough = _look(_engine(detector_folder, most=100, precision="bfloat16"), pixels)
    assert not np.array_equal(rough.features[0], exact.features[0])
    # A random network hardly prefers one region to another, and rounding changes which are kept; what
    # the same place looks like stays. Two proposals may end in one box: the middle distance counts.
    distances = []
    for box, features in zip(rough.boxes.tolist(), rough.features.astype(float), strict=True):
        overlaps = [overlap(box, other) for other in exact.boxes.tolist()]
        if max(overlaps) > 0.9:
            same = exact.features[int(np.argmax(overlaps))].astype(float)
            distances.append(np.linalg.norm(features - same) / np.linalg.norm(same))
    assert len(distances) >= 10
    assert np.median(distances) < 0.03


def test_boxes_are_exact_in_bfloat16_too(detector_folder: Path) -> None:
    engine = _engine(detector_folder, precision="bfloat16")
    proposals: list[torch.Tensor] = []
    network = engine._network._network
    network.rpn.register_forward_hook(lambda *given: proposals.extend(given[2][0]))
    _look(engine, picture(1, 120, 80))
    (boxes,) = proposals
    assert boxes.dtype == torch.float32
    rounded = boxes.to(torch.bfloat16).float()
    assert (boxes != rounded).any()
