"""Whether a value is what its modality says: shapes, ranges, and numbers that are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.visuals import Captions, Modality, Objects, OcrText, Regions, Value

GRID_CELLS: Final = 49


def check_value(modality: Modality, value: Value, *, width: int | None = None) -> None:
    """Let a value pass that a model can rely on.

    Args:
        modality: what it should be a value of.
        value: what an engine or a server gave.
        width: D of vectors, where it is known.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence "the extractor gave ...".
    """
    match modality, value:
        case ("grid", np.ndarray()):
            _check_vectors("cells", value, (GRID_CELLS, width))
        case ("global", np.ndarray()):
            _check_vectors("a vector", value, (width,))
        case ("regions", Regions()):
            _check_regions(value, width)
        case ("captions", Captions()):
            if len(value.texts) != len(value.scores):
                raise ValueError(f"{len(value.texts)} captions with {len(value.scores)} scores")
            _check_finite("scores", value.scores)
            if not all(isinstance(text, str) for text in value.texts):
                raise ValueError("captions that are not all text")
        case ("objects", Objects()):
            _check_finite("scores", [tag.score for tag in value.tags])
            _check_boxes(tag.box for tag in value.tags if tag.box is not None)
        case ("ocr", OcrText()):
            _check_finite("confidences", [line.confidence for line in value.lines])
            _check_boxes(line.box for line in value.lines)
        case _:
            raise ValueError(f"a {type(value).__name__} for {modality}")


def _check_vectors(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    if not array.size:
        raise ValueError("no numbers at all")
    _check_array(name, array, shape)


def _check_regions(value: Regions, width: int | None) -> None:
    count = len(value.scores)
    _check_array("scores", value.scores, (count,))
    _check_array("boxes", value.boxes, (count, 4))
    _check_array("features", value.features, (count, width if count else None))
    _check_boxes(value.boxes.astype(float).tolist())


def _check_array(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        expected in (None, got) for expected, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        got = " x ".join(map(str, array.shape)) or "one number"
        raise ValueError(f"{name} of {got}, expected {wanted}")
    if array.dtype != np.float16:
        raise ValueError(f"{name} of {array.dtype}, expected float16")
    _check_finite(name, array)


def _check_finite(name: str, numbers: Any) -> None:
    if not np.isfinite(np.asarray(numbers, np.float32)).all():
        raise ValueError(f"{name} that are not all finite numbers")


def _check_boxes(boxes: Iterable[Sequence[float]]) -> None:
    for left, top, right, bottom in boxes:
        if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
            raise ValueError(f"a box outside the picture: {left:g}, {top:g}, {right:g}, {bottom:g}")
