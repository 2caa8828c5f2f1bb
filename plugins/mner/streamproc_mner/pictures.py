"""What was seen in a post's first picture, as arrays of vectors that a network reads.

The papers have one picture a post; of a post with several, networks that read vectors read the
first that could be had. All modalities have one form: N vectors of D numbers, with a box each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from streamproc.fusion.api import FusionInput
from streamproc.vision.visuals import Regions

Floats = NDArray[np.float32]

VectorModality = Literal["grid", "global", "regions"]

CELLS: Final = 49
_SIDE: Final = 7
_WHOLE: Final = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class PictureNeed:
    """The vectors that a network reads: their modality, their width D, and at most how many."""

    modality: VectorModality
    width: int
    most: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture: features (N, D), and boxes (N, 4) as fractions of its width and height."""

    features: Floats
    boxes: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PictureBatch:
    """B pictures padded to a common N: features (B, N, D), boxes (B, N, 4), mask (B, N) bool.

    A post without a picture has a row of zeros with a mask that is nowhere true. N is at least 1.
    """

    features: Floats
    boxes: Floats
    mask: NDArray[np.bool_]


def picture_of(post: FusionInput, need: PictureNeed) -> Picture | None:
    """The post's first picture whose vectors are numbers; `None` where there is none.

    A vector with a NaN or an infinity in it would spoil every word of the post: such a picture is
    passed over, as one that could not be had.

    Raises:
        ValueError: the vectors are not of the form or the width that the network was trained on.
    """
    for value in post.seen(need.modality):
        features, boxes = _vectors(value, need)
        if len(features) and np.isfinite(features).all():
            return Picture(features[: need.most], boxes[: need.most])
    return None


def _vectors(value: Any, need: PictureNeed) -> tuple[Floats, Floats]:
    """Features (N, D) and boxes (N, 4) in float32."""
    if need.modality == "regions":
        if not isinstance(value, Regions) or len(value.scores) != len(value.features):
            raise ValueError("regions: expected a Regions with a score for each region")
        order = np.argsort(-np.nan_to_num(value.scores.astype(np.float32)), kind="stable")
        features, boxes = np.asarray(value.features, np.float32)[order], _within(value.boxes[order])
    else:
        features = np.asarray(value, np.float32)
        if need.modality == "global":
            features = features.reshape(1, -1)
        elif features.ndim != 2 or len(features) != CELLS:
            raise ValueError(f"grid: expected {CELLS} cells row by row, got an array {features.shape}")
        boxes = cell_boxes() if need.modality == "grid" else np.array([_WHOLE], np.float32)
    if features.ndim != 2 or features.shape[1] != need.width:
        raise ValueError(
            f"{need.modality} has vectors of {features.shape[-1]}, the model was trained on {need.width}: "
            "look with the extractor that it was trained on"
        )
    return features, boxes


def _within(boxes: NDArray[np.float16]) -> Floats:
    """Boxes inside the picture, each with left before right and top before bottom."""
    inside = np.clip(np.nan_to_num(boxes.astype(np.float32)), 0.0, 1.0)
    left_top = np.minimum(inside[:, :2], inside[:, 2:])
    return np.concatenate([left_top, np.maximum(inside[:, :2], inside[:, 2:])], axis=1)


def cell_boxes() -> Floats:
    """(49, 4): the cells of a grid, row by row."""
    rows, columns = np.divmod(np.arange(CELLS), _SIDE)
    return (np.stack([columns, rows, columns + 1, rows + 1], axis=1) / _SIDE).astype(np.float32)


def pad_pictures(pictures: Sequence[Picture | None], need: PictureNeed) -> PictureBatch:
    """Pictures as one batch.

    Raises:
        ValueError: a picture has more vectors, or wider ones, than the network reads.
    """
    for picture in pictures:
        if picture is not None:
            count, width = picture.features.shape
            if count > need.most or width != need.width:
                raise ValueError(
                    f"a picture of {count} vectors of {width} numbers; the network reads {need.modality}, "
                    f"at most {need.most} of {need.width}"
                )
    most = max((len(picture.features) for picture in pictures if picture), default=1)
    features = np.zeros((len(pictures), most, need.width), np.float32)
    boxes = np.zeros((len(pictures), most, 4), np.float32)
    mask = np.zeros((len(pictures), most), bool)
    for row, picture in enumerate(pictures):
        if picture is not None:
            count = len(picture.features)
            features[row, :count], boxes[row, :count] = picture.features, picture.boxes
            mask[row, :count] = True
    return PictureBatch(features, boxes, mask)
