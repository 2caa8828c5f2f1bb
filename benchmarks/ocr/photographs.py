"""Openly licensed photographs in maintained packages, with the writing in them as a person reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.ocr.grounds import PHOTOGRAPHS
from benchmarks.ocr.scenes import Scene

_SKIMAGE: Final = PHOTOGRAPHS[0].parent
_OPENCV: Final = Path("/usr/share/doc/opencv-doc/examples")

_WRITTEN: Final[dict[Path, tuple[str, ...]]] = {
    _SKIMAGE / "page.png": (
        "Region-based segmentation",
        "Let us first determine markers of the coins and the",
        "background. These markers are pixels that we can label",
        "unambiguously as either object or background. Here,",
        "the markers are found at the two extreme parts of the",
        "histogram of grey values:",
        ">>> markers = np.zeros_like(coins)",
    ),
    _SKIMAGE / "astronaut.png": ("COLLINS ASHBY", "COLEMAN HAWLEY TOGNINI", "NASA"),
    _SKIMAGE / "motorcycle_left.png": (
        "YAMAHA", "YAMAHA", "YICS", "MAXIM", "400", "CLEMENTINES", "Nu Finish Car Wash",
    ),
    _OPENCV / "text" / "scenetext01.jpg": (
        "NOTICE", "DOUBLE", "PARKING", "PROHIBITED", "AT ALL TIMES", "The", "Washington", "Post",
    ),
    _OPENCV / "text" / "scenetext02.jpg": (
        "Sports Centre", "Wivenhoe Park", "Conference Centre", "Car Parks",
    ),
    _OPENCV / "text" / "scenetext03.jpg": ("the", "copy centre"),
    _OPENCV / "text" / "scenetext04.jpg": ("Gmmco", "GM 125"),
    _OPENCV / "text" / "scenetext05.jpg": ("NO PARKING", "NO PARKING"),
    _OPENCV / "text" / "scenetext06.jpg": (
        "priory", "galleries", "at", "the ship", "priory galleries at the ship",
    ),
}  # fmt: skip
_EMPTY: Final = (
    *PHOTOGRAPHS,
    *(_OPENCV / "data" / name for name in (
        "aloeL.jpg", "aloeR.jpg", "apple.jpg", "fruits.jpg", "home.jpg", "leuvenA.jpg", "orange.jpg",
        "stuff.jpg",
    )),
)  # fmt: skip


def photographs() -> list[Scene]:
    """Those that are installed here: of scikit-image, scikit-learn, and Debian's opencv-doc."""
    truths = _WRITTEN | dict.fromkeys(_EMPTY, ())
    return [Scene(path.name, _pixels(path), truth) for path, truth in truths.items() if path.exists()]


def _pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
