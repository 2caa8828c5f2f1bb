"""Objects with attributes, against the public network's forward in plain functions and loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from plugins.vision.tests import public_bottom_up
from plugins.vision.tests.conftest import TINY_BOTTOM_UP, picture
from plugins.vision.tests.plain_boxes import overlap
from streamproc.vision.checks import check_value
from streamproc.vision.visuals import Objects
from streamproc_vision.objects import ObjectsEngine
from streamproc_vision.state import read_state

MEAN_BGR = [102.9801, 115.9465, 122.7717]


def _engine(folder: Path, **config: Any) -> ObjectsEngine:
    engine = ObjectsEngine(ObjectsEngine.Config(weights=str(folder), **config))
    engine.load()
    return engine


def _look(engine: ObjectsEngine, pixels: NDArray[np.uint8]) -> Objects:
    (value,) = engine.look([pixels])
    check_value("objects", value)
    assert isinstance(value, Objects)
    return value


def _plain_objects(
    folder: Path,
    pixels: NDArray[np.uint8],
    *,
    most: int = 100,
    min_score: float = 0.2,
    iou: float = 0.3,
    most_attributes: int = 3,
    min_attribute: float = 0.1,
) -> list[tuple[str, float, list[str], list[float]]]:
    """Names, scores, attributes and boxes as fractions, in loops."""
    state = public_bottom_up.public_state(read_state(folder))
    height, width = pixels.shape[:2]
    scale = min(96 / min(height, width), 160 / max(height, width))
    size = round(width * scale), round(height * scale)
    shown = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)).astype(np.float32)
    given = torch.tensor(shown[:, :, ::-1] - np.array(MEAN_BGR, np.float32)).permute(2, 0, 1)[None]
    proposals, logits, deltas, features = public_bottom_up.forward(
        state, given, before=TINY_BOTTOM_UP["proposals_before"],
        after=TINY_BOTTOM_UP["proposals_after"], iou=0.7,
    )  # fmt: skip
    candidates = []
    for row, proposal in enumerate(proposals.tolist()):
        for kind, score in enumerate(logits[row].softmax(0)[:-1].tolist()):
            box = public_bottom_up.moved(
                proposal, deltas[row, kind * 4 : kind * 4 + 4].tolist(), (10, 10, 5, 5), *size
            )
            if score >= min_score and box[2] > box[0] and box[3] > box[1]:
                candidates.append((score, row, kind, box))
    candidates.sort(key=lambda candidate: -candidate[0])
    kept: list[tuple[float, int, int, list[float]]] = []
    for candidate in candidates:
        if all(other[2] != candidate[2] or overlap(other[3], candidate[3]) <= iou for other in kept):
            kept.append(candidate)
    objects, seen = [], set()
    for score, row, kind, box in kept:
        if row in seen:
            continue
        seen.add(row)
        likely = public_bottom_up.attributes(state, features[row], kind)
        order = sorted(range(len(likely)), key=lambda index: -likely[index])[:most_attributes]
        names = [TINY_BOTTOM_UP["attributes"][i] for i in order if likely[i] > min_attribute]
        fractions = [side / whole for side, whole in zip(box, (*size, *size), strict=True)]
        objects.append((TINY_BOTTOM_UP["objects"][kind], score, names, fractions))
    return objects[:most]


CONFIGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "few": {"most": 2},
    "certain": {"min_score": 0.45},
    "uncertain": {"min_score": 0.05},
    "overlapping": {"iou": 0.95},
    "one attribute": {"most_attributes": 1},
    "all attributes": {"min_attribute": 0.0},
    "sure attributes": {"min_attribute": 0.35},
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_objects_are_those_of_the_public_network_by_plain_loops(
    bottom_up_folder: Path, config: dict[str, Any]
) -> None:
    pixels = picture(1, 150, 100)
    expected = _plain_objects(bottom_up_folder, pixels, **config)
    tags = _look(_engine(bottom_up_folder, **config), pixels).tags
    assert [tag.name for tag in tags] == [name for name, *_ in expected]
    assert len(tags) > 1
    for tag, (_, score, attributes, box) in zip(tags, expected, strict=True):
        assert tag.score == pytest.approx(score, abs=1e-3)
        assert list(tag.attributes) == attributes
        assert tag.box == pytest.approx(box, abs=2e-3)


def test_tags_are_sorted_and_have_different_numbers_of_attributes(bottom_up_folder: Path) -> None:
    engine = _engine(bottom_up_folder)
    values = [_look(engine, picture(seed, 150, 100)) for seed in range(4)]
    for value in values:
        scores = [tag.score for tag in value.tags]
        assert scores == sorted(scores, reverse=True)
    counts = {len(tag.attributes) for value in values for tag in value.tags}
    assert len(counts) > 1
    assert max(counts) <= 3


def test_a_pictures_objects_do_not_depend_on_its_company(bottom_up_folder: Path) -> None:
    sizes = [(150, 100), (1, 1), (2048, 3), (5, 900), (96, 96)]
    pictures = [picture(seed, *size) for seed, size in enumerate(sizes)]
    engine = _engine(bottom_up_folder)
    assert engine.look(pictures) == [_look(engine, alone) for alone in pictures]


def test_a_score_that_nothing_reaches_leaves_no_objects(bottom_up_folder: Path) -> None:
    assert _look(_engine(bottom_up_folder, min_score=1.0), picture(2)) == Objects(())


def test_bfloat16_finds_nearly_the_same(bottom_up_folder: Path) -> None:
    pixels = picture(1, 150, 100)
    exact = _look(_engine(bottom_up_folder), pixels).tags
    rough = _look(_engine(bottom_up_folder, precision="bfloat16"), pixels).tags
    assert rough != exact
    assert rough[0].score == pytest.approx(exact[0].score, abs=0.1)
