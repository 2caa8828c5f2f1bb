"""rapidocr's network that finds lines of writing, without rapidocr around it.

rapidocr rounds corners to whole pixels of what it is given; those of a small copy are off by some
pixels of the picture then, which costs characters. Here they stay fractions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.engine import Pixels
from streamproc.vision.ocr.detection import Found

_INK: Final = 0.3
_GROWTH: Final = 1.6
_LEAST_SIDE: Final = 3.0
_MOST_LINES: Final = 1000


class LineDetector:
    """Differentiable binarization: a map of how likely each pixel is writing, and boxes around its spots.

    Args:
        model: PP-OCR's detection network, ONNX.
        doubtful: spots that are less likely writing than this on the average are left out.
    """

    def __init__(self, model: Path, doubtful: float) -> None:
        from onnxruntime import InferenceSession, SessionOptions, disable_telemetry_events

        disable_telemetry_events()
        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._session: Any = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._doubtful = doubtful

    def __call__(self, pixels: Pixels) -> Found:
        """The lines in pixels: blue, green, red, sides multiples of 32."""
        scaled = pixels.astype(np.float32) / 127.5 - 1
        batch = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
        (ink,) = self._session.run(None, {self._input: batch})
        return boxes_in(ink[0, 0], self._doubtful)


def boxes_in(ink: NDArray[np.float32], doubtful: float) -> Found:
    """Boxes around the spots of a map.

    The network is taught lines that are shrunk; each box is grown on all sides by
    area x 1.6 / circumference.

    Args:
        ink: how likely each pixel is writing, (height, width).
        doubtful: the least average within a box, before it is grown.
    """
    import cv2

    spots = cv2.dilate((ink > _INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(spots, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    quads, scores = [], []
    for contour in contours[:_MOST_LINES]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < _LEAST_SIDE:
            continue
        score = _average(ink, cv2.boxPoints((centre, (width, height), angle)))
        if score < doubtful:
            continue
        grown = 2 * width * height * _GROWTH / (2 * (width + height))
        quads.append(_from_upper_left(cv2.boxPoints((centre, (width + grown, height + grown), angle))))
        scores.append(score)
    if not quads:
        return Found(np.empty((0, 4, 2), np.float32), np.empty(0, np.float32))
    limits = np.array((ink.shape[1], ink.shape[0]), np.float32)
    return Found(np.clip(np.stack(quads), 0, limits), np.array(scores, np.float32))


def _average(ink: NDArray[np.float32], corners: Any) -> float:
    """Of the map within four corners."""
    import cv2

    height, width = ink.shape
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], (1,))
    return float(cv2.mean(ink[top : bottom + 1, left : right + 1], mask)[0])


def _from_upper_left(corners: Any) -> NDArray[np.float32]:
    """Corners clockwise from the upper left one: the two at the left are the left side."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    upper_left, lower_left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    upper_right, lower_right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.array([upper_left, upper_right, lower_right, lower_left], np.float32)
