"""Pictures made ready for networks: sizes only; the networks do the arithmetic."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from PIL import Image

from streamproc.vision.engine import Pixels

Crop = Literal["whole", "centre"]

_SHORTER_BEFORE_CROP: Final = 256 / 224
_MAX_ASPECT: Final = 16


def square(picture: Pixels, side: int, crop: Crop = "whole", *, bicubic: bool = False) -> Pixels:
    """A picture as a square.

    Args:
        picture: RGB (height, width, 3).
        side: of the square, in pixels.
        crop: `whole` squeezes the whole picture into the square (yu2020-umt section 2.2); `centre`
            brings its shorter side to 256/224 of `side` and cuts the middle out, as ImageNet networks
            are evaluated.
        bicubic: the filter; bilinear without it.

    Returns:
        RGB (side, side, 3).
    """
    image = Image.fromarray(picture)
    resample = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    if crop == "whole":
        return np.asarray(image.resize((side, side), resample))
    shorter = round(side * _SHORTER_BEFORE_CROP)
    scale = shorter / min(image.size)
    # The cut is taken before the resize: of a strip of 10 x 2000 pixels little is made large.
    width, height = image.size
    span = side / scale
    left, top = (width - span) / 2, (height - span) / 2
    box = (left, top, left + span, top + span)
    return np.asarray(image.resize((side, side), resample, box=box))


def thickened(picture: Pixels) -> Pixels:
    """A very long or very wide picture, stretched to a bearable shape; others are given back as they are.

    Detectors bring a picture's longer side down: of a strip of 1 x 2000 pixels nothing would be left.
    Boxes as fractions of the picture stay true.
    """
    height, width = picture.shape[:2]
    shorter = -(-max(height, width) // _MAX_ASPECT)
    if min(height, width) >= shorter:
        return picture
    size = max(width, shorter), max(height, shorter)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def bounded(picture: Pixels, shorter: int, longer: int) -> Pixels:
    """A picture with its shorter side at `shorter` pixels, or its longer one at `longer` if that is less.

    Returns:
        RGB (height', width', 3); the sides keep their ratio.
    """
    height, width = picture.shape[:2]
    scale = min(shorter / min(height, width), longer / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
