"""What scenes are made on: photographs, textures, shapes. None of it has writing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import numpy as np
import skimage
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFilter

_SKIMAGE: Final = Path(skimage.__file__).parent / "data"
_SKLEARN: Final = Path(sklearn.datasets.__file__).parent / "images"
PHOTOGRAPHS: Final = tuple(
    [_SKIMAGE / name for name in (
        "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
        "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "retina.jpg",
        "rocket.jpg",
    )]
    + [_SKLEARN / name for name in ("china.jpg", "flower.jpg")]
)  # fmt: skip
"""Photographs without writing in the wheels of scikit-image and scikit-learn."""

Size = tuple[int, int]


def photograph(size: Size, random_: random.Random) -> Image.Image:
    """A part of a photograph, mirrored or not, brighter or darker."""
    with Image.open(random_.choice(PHOTOGRAPHS)) as opened:
        image = opened.convert("RGB")
    part = random_.uniform(0.5, 1.0) * min(image.width / size[0], image.height / size[1])
    width, height = int(size[0] * part), int(size[1] * part)
    left, top = random_.randint(0, image.width - width), random_.randint(0, image.height - height)
    image = image.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.LANCZOS)
    if random_.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    light = random_.uniform(0.6, 1.2)
    return image.point(lambda value: min(255, int(value * light)))


def plain(size: Size, random_: random.Random) -> Image.Image:
    """One colour, or one running into another."""
    ends = np.array([[random_.randrange(256) for _ in range(3)] for _ in range(2)], np.float32)
    if random_.random() < 0.4:
        ends[1] = ends[0]
    along = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    pixels = np.broadcast_to(ends[0] * (1 - along) + ends[1] * along, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


def texture(size: Size, random_: random.Random) -> Image.Image:
    """Noise of several grains, or stripes."""
    numbers = np.random.default_rng(random_.randrange(2**32))
    if random_.random() < 0.3:
        period, slope = random_.uniform(6, 60), random_.uniform(-1, 1)
        y, x = np.mgrid[: size[1], : size[0]]
        wave = np.sin(2 * np.pi * (x + slope * y) / period)[..., None]
        pixels = 128 + wave * numbers.uniform(20, 100, 3)
        return Image.fromarray(pixels.astype(np.uint8))
    image = Image.new("RGB", size)
    for grain in (4, 16, 64):
        noise = numbers.integers(0, 256, (size[1] // grain + 2, size[0] // grain + 2, 3), np.uint8)
        image = Image.blend(image, Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC), 0.5)
    return image


def shapes(size: Size, random_: random.Random) -> Image.Image:
    """Rectangles, ellipses, polygons and lines on a plain ground, sharp or blurred."""
    image = plain(size, random_)
    draw = ImageDraw.Draw(image)
    for _ in range(random_.randint(5, 40)):
        points = [(random_.uniform(0, size[0]), random_.uniform(0, size[1])) for _ in range(4)]
        (left, top), (right, bottom) = points[:2]
        box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        colour = tuple(random_.randrange(256) for _ in range(3))
        match random_.randrange(4):
            case 0:
                draw.rectangle(box, colour)
            case 1:
                draw.ellipse(box, colour)
            case 2:
                draw.polygon(points, colour)
            case 3:
                draw.line(points, colour, width=random_.randint(1, 12))
    return image.filter(ImageFilter.GaussianBlur(random_.choice((0, 0, 1, 3))))


def any_ground(size: Size, random_: random.Random) -> Image.Image:
    """One of the above, photographs most often."""
    return random_.choice((photograph, photograph, photograph, texture, shapes))(size, random_)
