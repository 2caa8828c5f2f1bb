"""Cells of pictures at the words' width, and what stands for a picture that is not there."""

from __future__ import annotations

import pytest
import torch

from streamproc_mner.nn.inputs import PictureInputs
from streamproc_mner.nn.picture_cells import PictureCells


@pytest.fixture
def cells() -> PictureCells:
    torch.manual_seed(0)
    return PictureCells(picture_width=4, width=2)


def _picture(counts: list[int], places: int) -> PictureInputs:
    mask = torch.arange(places) < torch.tensor(counts).unsqueeze(1)
    return PictureInputs(torch.randn(len(counts), places, 4), torch.zeros(len(counts), places, 4), mask)


def test_cells_are_projected_one_by_one(cells: PictureCells) -> None:
    picture = _picture([3, 2], 3)
    found, mask = cells(picture, 2)
    weight, bias = cells.project.weight.tolist(), cells.project.bias.tolist()
    for row, count in enumerate((3, 2)):
        for cell in range(count):
            vector = picture.features[row, cell].tolist()
            expected = [
                sum(w * x for w, x in zip(weight[j], vector, strict=True)) + bias[j] for j in (0, 1)
            ]
            assert found[row, cell].tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(mask, picture.mask)


def test_one_learned_cell_stands_for_a_picture_that_is_not_there(cells: PictureCells) -> None:
    found, mask = cells(_picture([3, 0], 3), 2)
    assert torch.equal(found[1, 0], cells.absent)
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    (gradient,) = torch.autograd.grad(found[mask].sum(), cells.absent)
    assert gradient.tolist() == [1.0, 1.0]


def test_posts_of_which_none_has_a_picture_have_that_cell_too(cells: PictureCells) -> None:
    found, mask = cells(None, 2)
    assert torch.equal(found, cells.absent.expand(2, 1, 2))
    assert mask.tolist() == [[True], [True]]
    padded, there = cells(_picture([0, 0], 1), 2)
    assert torch.equal(padded, found)
    assert torch.equal(there, mask)
