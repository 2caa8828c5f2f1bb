"""Values cross the wire unchanged, and what a broken server sends is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from streamproc.testing.visuals import example_value
from streamproc.vision.names import KNOWN
from streamproc.vision.visuals import LOOKED_AT, DetectedObject, Modality, Objects, OcrText, Regions
from streamproc.vision.wire import as_bytes, from_tensors, outputs_of, to_tensors


@pytest.mark.parametrize("modality", LOOKED_AT)
def test_a_value_crosses_the_wire_unchanged(modality: Modality) -> None:
    value = example_value(modality)
    tensors = to_tensors(modality, value)
    assert tuple(tensors) == outputs_of(modality)
    back = from_tensors(modality, tensors)
    if isinstance(value, Regions):
        assert isinstance(back, Regions)
        for field in ("boxes", "scores", "features"):
            np.testing.assert_array_equal(getattr(back, field), getattr(value, field))
    elif isinstance(value, np.ndarray):
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


def test_a_picture_without_writing_or_objects_crosses_too() -> None:
    assert from_tensors("ocr", to_tensors("ocr", OcrText(()))) == OcrText(())
    assert from_tensors("objects", to_tensors("objects", Objects(()))) == Objects(())


def cells(rows: int = 49, width: int = 4, dtype: str = "float16") -> np.ndarray:
    return np.zeros((rows, width), dtype)


def found(boxes: int, others: int, box: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "boxes": np.full((boxes, 4), box, "f2"),
        "scores": np.zeros(others, "f2"),
        "features": np.zeros((others, 4), "f2"),
    }


@pytest.mark.parametrize(
    ("modality", "tensors", "fault"),
    [
        ("grid", {}, "no output named 'grid'"),
        ("grid", {"grid": cells(48)}, "cells of 48 x 4, expected 49 x 4"),
        ("grid", {"grid": cells(49, 5)}, "cells of 49 x 5, expected 49 x 4"),
        ("grid", {"grid": cells(dtype="float32")}, "cells of float32, expected float16"),
        ("grid", {"grid": cells() + np.float16("nan")}, "cells that are not all finite numbers"),
        ("grid", {"grid": cells() + np.float16("inf")}, "cells that are not all finite numbers"),
        ("global", {"global": np.array(1, np.float16)}, "a vector of one number, expected 4"),
        ("ocr", {"ocr": as_bytes(b"{")}, "ocr that are not the JSON that was expected"),
        ("ocr", {"ocr": as_bytes(b'{"lines": [3]}')}, "ocr that are not the JSON"),
        (
            "ocr",
            {"ocr": as_bytes(b'{"lines": [{"text": "a", "confidence": 1, "box": [0.5, 0, 0.2, 1]}]}')},
            "a box outside the picture",
        ),
        (
            "captions",
            {"captions": as_bytes(b'{"texts": ["a"], "scores": []}')},
            "1 captions with 0 scores",
        ),
        (
            "regions",
            found(2, 3),
            "boxes of 2 x 4, expected 3 x 4",
        ),
        (
            "regions",
            found(1, 1, box=2.0),
            "a box outside the picture",
        ),
    ],
)  # fmt: skip
def test_what_is_not_a_value_is_refused_in_words(
    modality: Modality, tensors: dict[str, np.ndarray], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        from_tensors(modality, tensors, width=4)


def test_infinite_scores_of_objects_are_refused() -> None:
    value = Objects((DetectedObject("dog", float("inf")),))
    with pytest.raises(ValueError, match=r"objects that are not the JSON|not all finite"):
        from_tensors("objects", to_tensors("objects", value))


def test_every_extractor_that_is_known_gives_a_modality_that_is_looked_at() -> None:
    assert {known.modality for known in KNOWN.values()} == set(LOOKED_AT)
    assert {name.partition("_")[0] for name in KNOWN} == set(LOOKED_AT)
