"""Where lines of writing are: a look at the picture made small, and a second one where that is too small.

What a look costs grows with its pixels. Most pictures have no writing, or writing that is large
enough to be found in a small copy; only the part that has small writing is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.engine import Pixels

Quads: TypeAlias = NDArray[np.float32]
"""Corners of lines, in pixels, clockwise from the upper left one: (n, 4, 2)."""

SURE: Final = 0.5
"""How sure the network must be of a line that is read; of one that asks for a second look, less."""

_STEP: Final = 32
_GOOD_HEIGHT: Final = 20
_MOST_ENLARGED: Final = 1.5
_MAX_SIDE: Final = 2048
_WORTH_IT: Final = 1.15

PARAMETERS: Final = (SURE, _STEP, _GOOD_HEIGHT, _MOST_ENLARGED, _MAX_SIDE, _WORTH_IT)
"""What else than its arguments decides what `find_lines` finds."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Lines in what was looked at, and how sure the network is of each: (n, 4, 2) and (n,)."""

    quads: Quads
    scores: NDArray[np.float32]


Detect: TypeAlias = Callable[[Pixels], Found]
"""Looks at pixels whose sides are multiples of 32."""


def find_lines(detect: Detect, picture: Pixels, side: int, small: float) -> Quads:
    """The lines of a picture, in its own pixels.

    Args:
        detect: the network.
        picture: (height, width, 3).
        side: of the copy that is looked at first: its longer one, in pixels.
        small: lines that are lower in that copy are looked at again, in pixels.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    first = _look(detect, picture, scale)
    sure = first.quads[first.scores >= SURE]
    doubtful = first.quads[heights(first.quads) * scale < small]
    if not len(doubtful):
        return sure
    part = _around(doubtful, width, height)
    larger = _larger_scale(doubtful, part)
    if larger < scale * _WORTH_IT:
        return sure
    left, top, right, bottom = part
    second = _look(detect, picture[top:bottom, left:right], larger)
    again = second.quads[second.scores >= SURE] + np.array((left, top), np.float32)
    large = sure[heights(sure) * scale >= small]
    return np.concatenate((large, again[~_inside(again, large)]))


def heights(quads: Quads) -> NDArray[np.float32]:
    """Of each line, in pixels: its shorter side. (n,)"""
    sides = np.linalg.norm(quads - np.roll(quads, 1, axis=1), axis=2)
    return np.asarray(sides.min(axis=1), np.float32)


def _look(detect: Detect, pixels: Pixels, scale: float) -> Found:
    """Look at a copy of another size; what is found is in the pixels of the original."""
    import cv2

    height, width = pixels.shape[:2]
    copied = _stepped(width * scale), _stepped(height * scale)
    copy = pixels
    if copied != (width, height):
        # Not Pillow's: what the networks were trained on was brought down without smoothing.
        copy = np.asarray(cv2.resize(pixels, copied, interpolation=cv2.INTER_LINEAR), np.uint8)
    found = detect(copy)
    back = np.array((width / copied[0], height / copied[1]), np.float32)
    return Found(found.quads * back, found.scores)


def _stepped(side: float) -> int:
    return max(_STEP, round(side / _STEP) * _STEP)


def _around(quads: Quads, width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the picture that has these lines, with a margin of some lines."""
    points = quads.reshape(-1, 2)
    margin = 16 + 4 * heights(quads).max()
    left, top = np.maximum(points.min(axis=0) - margin, 0)
    right, bottom = np.minimum(points.max(axis=0) + margin, (width, height))
    return int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))


def _larger_scale(quads: Quads, part: tuple[int, int, int, int]) -> float:
    """At which the lowest line is of a good height, as far as that is bearable."""
    left, top, right, bottom = part
    wanted = _GOOD_HEIGHT / max(1.0, float(heights(quads).min()))
    return min(_MOST_ENLARGED, wanted, _MAX_SIDE / max(right - left, bottom - top))


def _inside(quads: Quads, others: Quads) -> NDArray[np.bool_]:
    """Which lines have their centre within one of the others. (n,)"""
    edges = np.roll(others, -1, axis=1) - others
    to_centre = quads.mean(axis=1)[:, None, None] - others
    # Clockwise, with y growing downwards: what is within is at the right of every edge.
    at_right = edges[..., 0] * to_centre[..., 1] - edges[..., 1] * to_centre[..., 0] >= 0
    return np.asarray(at_right.all(axis=2).any(axis=1), np.bool_)
