"""Pictures as vectors: of several the first that is whole, and forms that no network reads."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.fusion.api import FusionInput, Seen
from streamproc.vision.visuals import Regions
from streamproc_mner.pictures import CELLS, PictureNeed, pad_pictures, picture_of

GRID = PictureNeed("grid", 3, CELLS)
REGIONS = PictureNeed("regions", 3, 2)


def _post(modality: str, *values: object) -> FusionInput:
    return FusionInput("Paris", visuals={modality: Seen(values)})  # type: ignore[dict-item,arg-type]


def _regions(scores: list[float], boxes: list[list[float]]) -> Regions:
    features = np.arange(3 * len(boxes), dtype=np.float16).reshape(-1, 3)
    return Regions(np.array(boxes, np.float16), np.array(scores, np.float16), features)


def test_a_picture_with_what_is_no_number_is_passed_over() -> None:
    whole = np.ones((CELLS, 3), np.float16)
    for bad in (np.nan, np.inf):
        broken = whole.copy()
        broken[7, 1] = bad
        assert picture_of(_post("grid", broken), GRID) is None
        found = picture_of(_post("grid", broken, 2 * whole), GRID)
        assert found is not None
        assert (found.features == 2).all()


@pytest.mark.parametrize("shape", [(48, 3), (50, 3), (7, 7, 3), (3,)])
def test_a_grid_of_other_cells_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="grid: expected 49 cells row by row"):
        picture_of(_post("grid", np.ones(shape, np.float16)), GRID)


def test_the_surest_regions_are_read_and_their_boxes_lie_in_the_picture() -> None:
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.8, -0.1, 0.2, 1.2], [0.1, 0.1, float("nan"), 0.3]]
    found = picture_of(_post("regions", _regions([0.1, 0.9, 0.5], boxes)), REGIONS)
    assert found is not None
    assert found.features.tolist() == [[3, 4, 5], [6, 7, 8]]
    np.testing.assert_allclose(found.boxes, [[0.2, 0.0, 0.8, 1.0], [0.0, 0.1, 0.1, 0.3]], atol=1e-3)
    with pytest.raises(ValueError, match="a score for each region"):
        picture_of(_post("regions", _regions([0.1], boxes)), REGIONS)


def test_more_vectors_than_a_network_reads_are_refused_in_a_batch() -> None:
    found = picture_of(_post("grid", np.ones((CELLS, 3), np.float16)), GRID)
    with pytest.raises(ValueError, match="a picture of 49 vectors of 3 numbers; the network reads global"):
        pad_pictures([found], PictureNeed("global", 3, 1))
