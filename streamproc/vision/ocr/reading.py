"""The order in which people read lines, and where lines are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.visuals import Box, OcrLine


def in_reading_order(lines: Sequence[OcrLine]) -> list[OcrLine]:
    """Top to bottom; lines side by side, with centres less than half a line apart, left to right."""
    rows: list[list[OcrLine]] = []
    for line in sorted(lines, key=_centre):
        if rows:
            first = rows[-1][0]
            if _centre(line) - _centre(first) < min(_height(line), _height(first)) / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box[0])]


def as_fractions(corners: NDArray[np.float32], size: tuple[int, int]) -> Box:
    """The upright box around points (n, 2) in pixels, as fractions of the picture's width and height."""
    low, high = corners.min(axis=0) / size, corners.max(axis=0) / size
    left, top, right, bottom = np.clip(np.concatenate((low, high)), 0, 1).round(4).tolist()
    return left, top, right, bottom


def _centre(line: OcrLine) -> float:
    return (line.box[1] + line.box[3]) / 2


def _height(line: OcrLine) -> float:
    return line.box[3] - line.box[1]
