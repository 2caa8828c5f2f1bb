"""Where lines are: a look at a small copy, and a second one at the part with small writing."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from streamproc.vision.engine import Pixels
from streamproc.vision.ocr.detection import Found, find_lines, heights
from streamproc.vision.ocr.detector import boxes_in
from streamproc.vision.ocr.rapid import cut_out
from tests.services.process import require

Box = tuple[int, int, int, int]


@pytest.fixture(scope="module", autouse=True)
def _opencv() -> None:
    if find_spec("rapidocr") is None:
        require("rapidocr", "not installed: pip install 'streamproc[ocr]'")


class SeesColours:
    """Finds a bar in each colour, as a line; of a red one it is not sure. Remembers what it looked at."""

    def __init__(self) -> None:
        self.looked_at: list[tuple[int, int]] = []

    def __call__(self, pixels: Pixels) -> Found:
        self.looked_at.append((pixels.shape[1], pixels.shape[0]))
        assert not pixels.shape[0] % 32
        assert not pixels.shape[1] % 32
        quads, scores = [], []
        for colour in range(3):
            rows, columns = np.nonzero(pixels[:, :, colour] > 127)
            if rows.size:
                left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
                quads.append([(left, top), (right, top), (right, bottom), (left, bottom)])
                scores.append(0.4 if colour == 0 else 0.9)
        return Found(np.array(quads, np.float32).reshape(-1, 4, 2), np.array(scores, np.float32))


def _picture(*boxes: Box, width: int = 1920, height: int = 1280) -> Pixels:
    """A red, a green and a blue bar."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for colour, (left, top, right, bottom) in enumerate(boxes):
        pixels[top:bottom, left:right, colour] = 255
    return pixels


def _found(detect: SeesColours, pixels: Pixels, small: float = 14) -> list[list[int]]:
    quads = find_lines(detect, pixels, 640, small)
    return sorted(np.concatenate((quads[:, 0], quads[:, 2]), axis=1).round().astype(int).tolist())


NOWHERE: Box = (0, 0, 0, 0)
LARGE: Box = (300, 300, 900, 360)
TINY: Box = (1200, 900, 1500, 915)


def test_large_writing_is_found_by_one_look_at_a_small_copy() -> None:
    detect = SeesColours()
    (found,) = _found(detect, _picture(NOWHERE, LARGE))
    assert np.abs(np.subtract(found, LARGE)).max() <= 3
    assert len(detect.looked_at) == 1
    assert max(detect.looked_at[0]) == 640


def test_a_picture_without_writing_is_looked_at_once() -> None:
    detect = SeesColours()
    assert _found(detect, _picture()) == []
    assert len(detect.looked_at) == 1


def test_only_the_part_with_small_writing_is_looked_at_again_and_larger() -> None:
    detect = SeesColours()
    found = _found(detect, _picture(NOWHERE, LARGE, TINY))
    assert np.abs(np.subtract(found, [LARGE, TINY])).max() <= 3
    _, (width, height) = detect.looked_at
    assert 300 < width < 960
    assert height < 320


def test_doubtful_writing_asks_for_a_second_look_and_is_read_only_if_that_is_sure() -> None:
    detect = SeesColours()
    assert _found(detect, _picture(TINY)) == []
    assert len(detect.looked_at) == 2


def test_the_second_look_does_not_find_a_large_line_again() -> None:
    detect = SeesColours()
    beside = (920, 320, 1100, 335)
    assert len(_found(detect, _picture(NOWHERE, LARGE, beside))) == 2
    assert len(detect.looked_at) == 2


def test_a_small_line_beside_a_slanted_large_one_is_kept() -> None:
    """Its centre is within the upright box around the large line, and not within the line."""
    large = np.array([[(300, 300), (900, 500), (880, 560), (280, 360)]], np.float32)
    small = np.array([[(700, 340), (860, 340), (860, 355), (700, 355)]], np.float32)

    def detect(pixels: Pixels) -> Found:
        if pixels.shape[1] == 640:
            return Found(np.concatenate((large, small)) / 3, np.array([0.9, 0.9], np.float32))
        looked_at.append(pixels.shape)
        in_the_middle = [(0.3, 0.45), (0.7, 0.45), (0.7, 0.55), (0.3, 0.55)]
        size = pixels.shape[1], pixels.shape[0]
        return Found(np.array([in_the_middle], np.float32) * np.float32(size), np.array([0.9], np.float32))

    looked_at: list[tuple[int, ...]] = []
    found = find_lines(detect, _picture(), 640, 14)
    assert len(looked_at) == 1
    assert len(found) == 2


def test_without_a_second_look_small_writing_is_what_the_first_gave() -> None:
    detect = SeesColours()
    assert len(_found(detect, _picture(NOWHERE, LARGE, TINY), small=0)) == 2
    assert len(detect.looked_at) == 1


def test_a_small_picture_is_not_made_larger_for_the_first_look() -> None:
    detect = SeesColours()
    _found(detect, _picture(NOWHERE, (40, 40, 200, 100), width=320, height=160))
    assert detect.looked_at == [(320, 160)]


def test_the_height_of_a_line_is_its_shorter_side_however_it_is_turned() -> None:
    upright = [(0, 0), (30, 0), (30, 5), (0, 5)]
    turned = [(3, 0), (0, 4), (-8, -2), (-5, -6)]
    assert heights(np.array([upright, turned], np.float32)).tolist() == pytest.approx([5, 5])


def _ink(seed: int) -> NDArray[np.float32]:
    """A map with turned spots of several sizes and strengths."""
    import cv2

    numbers = np.random.default_rng(seed)
    ink = np.zeros((320, 480), np.float32)
    for _ in range(20):
        centre = tuple(numbers.uniform((60, 60), (420, 260)).tolist())
        size = tuple(numbers.uniform((20, 2), (90, 20)).tolist())
        corners = cv2.boxPoints((centre, size, float(numbers.uniform(-20, 20)))).astype(np.int32)
        cv2.fillPoly(ink, [corners], (float(numbers.uniform(0.2, 1)),))
    return np.asarray(ink, np.float32)


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_those_of_rapidocr_before_it_rounds_them(seed: int) -> None:
    from rapidocr.ch_ppocr_det.utils import DBPostProcess

    ink = _ink(seed)
    theirs, scores = DBPostProcess(0.3, 0.5, 1000, 1.6, "fast", True)(ink[None, None], ink.shape)
    ours = boxes_in(ink, 0.5)
    assert len(ours.quads) == len(theirs) >= 2
    assert ours.scores == pytest.approx(scores, abs=0.02)
    assert np.abs(ours.quads - theirs).max() < 3


def test_a_map_without_ink_has_no_boxes() -> None:
    found = boxes_in(np.zeros((32, 64), np.float32), 0.3)
    assert found.quads.shape == (0, 4, 2)
    assert found.scores.shape == (0,)


def test_a_line_that_runs_upwards_is_laid_down() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[10:20, 40:50] = 255
    line = cut_out(pixels, np.array([(40, 10), (50, 10), (50, 70), (40, 70)], np.float32))
    assert line.shape == (10, 60, 3)
    assert line[:, :8].min() > 200
    assert line[:, 12:].max() < 50


def test_a_slanted_line_is_made_upright() -> None:
    rows, columns = np.mgrid[:100, :200]
    pixels = np.repeat(((rows > columns / 4 + 30) * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    line = cut_out(pixels, np.array([(20, 25), (180, 65), (180, 85), (20, 45)], np.float32))
    assert line[:8].max() < 60
    assert line[-8:].min() > 200
