"""Synthetic pictures with known writing, and without any."""

from __future__ import annotations

import random
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.ocr import grounds
from benchmarks.ocr.canvas import Canvas
from benchmarks.ocr.layouts import LAYOUTS
from streamproc.vision.engine import Pixels, decode_jpeg

SIZES: Final = {
    (600, 338): 3, (600, 450): 3, (599, 800): 3, (680, 453): 2, (800, 600): 2, (1080, 1080): 2,
    (1200, 675): 3, (900, 1200): 2, (1200, 900): 1, (1600, 900): 1, (2048, 1536): 1, (1536, 2048): 1,
}  # fmt: skip
"""Width and height of pictures of posts, and how often: an assumption, half of them of older posts."""

_EMPTY: Final = {"photograph": grounds.photograph, "texture": grounds.texture, "shapes": grounds.shapes}


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and the lines that are written in it."""

    kind: str
    pixels: Pixels
    truth: tuple[str, ...]


def with_writing(count: int, seed: int) -> list[Scene]:
    """So many pictures with writing, each layout as often as the others."""
    kinds = list(LAYOUTS)
    return [_written(kinds[i % len(kinds)], random.Random(f"{seed} {i}")) for i in range(count)]


def without_writing(count: int, seed: int) -> list[Scene]:
    """So many pictures without: half of them photographs."""
    kinds = ("photograph", "texture", "photograph", "shapes")
    return [_empty(kinds[i % len(kinds)], random.Random(f"{seed} empty {i}")) for i in range(count)]


def _size(random_: random.Random) -> grounds.Size:
    return random_.choices(list(SIZES), list(SIZES.values()))[0]


def _written(kind: str, random_: random.Random) -> Scene:
    while True:
        canvas = Canvas(grounds.any_ground(_size(random_), random_), random_)
        LAYOUTS[kind](canvas)
        if canvas.lines:
            return Scene(kind, _taken(canvas.image, random_), tuple(canvas.lines))


def _empty(kind: str, random_: random.Random) -> Scene:
    return Scene(kind, _taken(_EMPTY[kind](_size(random_), random_), random_), ())


def _taken(image: Image.Image, random_: random.Random) -> Pixels:
    """Turned a little, blurred, noisy and compressed, some more, most less."""
    if random_.random() < 0.25:
        image = image.rotate(random_.uniform(-4, 4), Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    image = image.filter(ImageFilter.GaussianBlur(random_.choice((0, 0, 0, 0.5, 0.8, 1.1))))
    if random_.random() < 0.3:
        numbers = np.random.default_rng(random_.randrange(2**32))
        noise = numbers.normal(0, random_.uniform(2, 10), (image.height, image.width, 1))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    file = BytesIO()
    image.save(file, "JPEG", quality=random_.choice((45, 60, 75, 85, 92)))
    return decode_jpeg(file.getvalue())
