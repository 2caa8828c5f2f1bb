"""A picture to write on, that knows what was written."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from benchmarks.posts import NAMES, WORDS

Colour: TypeAlias = tuple[int, int, int]

FONTS: Final = Path("/usr/share/fonts/truetype")
_FAMILIES: Final = ("DejaVuSans", "DejaVuSerif", "Liberation", "FreeSans", "FreeSerif")


@cache
def font_files() -> tuple[Path, ...]:
    """Debian's fonts that are installed here, of the families that are used.

    Raises:
        FileNotFoundError: there are none.
    """
    files = sorted(f for f in FONTS.glob("*/*.ttf") if f.name.startswith(_FAMILIES))
    if not files:
        raise FileNotFoundError(
            f"no fonts in {FONTS}: apt-get install fonts-dejavu-core fonts-liberation fonts-freefont-ttf"
        )
    return tuple(files)


def some_words(random_: random.Random, count: int) -> str:
    """Words as in posts: names, capitals, numbers, signs."""
    words = []
    while len(words) < count:
        match random_.random():
            case chance if chance < 0.15:
                words += random_.choice(NAMES).split()
            case chance if chance < 0.25:
                words.append(a_number(random_))
            case chance if chance < 0.3:
                words.append(random_.choice("#@") + random_.choice(WORDS).capitalize())
            case _:
                words.append(random_.choice(WORDS))
    text = " ".join(words[:count])
    return text[0].upper() + text[1:]


def a_number(random_: random.Random) -> str:
    """A year, a time, a price, a score."""
    number = random_.randrange
    return random_.choice(
        (str(number(1950, 2030)), f"{number(1, 24)}:{number(60):02}", f"${number(1, 500)}.{number(100):02}",
         f"{number(100)}%", f"{number(9)}-{number(9)}")
    )  # fmt: skip


class Canvas:
    """A picture, what was written on it, and where.

    Args:
        image: the ground; written on in place.
        random_: decides everything that is left open.
    """

    def __init__(self, image: Image.Image, random_: random.Random) -> None:
        self.image = image
        self.random = random_
        self.lines: list[str] = []
        self._taken: list[tuple[float, float, float, float]] = []

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def font(self, size: float, *, of: str = "") -> ImageFont.FreeTypeFont:
        """Some font with `of` in its file's name; no smaller than what a person can read."""
        files = [f for f in font_files() if of in f.name] or font_files()
        return ImageFont.truetype(str(self.random.choice(files)), max(11, round(size)))

    def write(
        self,
        text: str,
        at: tuple[float, float],
        font: ImageFont.FreeTypeFont,
        fill: Colour,
        *,
        anchor: str = "la",
        stroke: int = 0,
        stroke_fill: Colour = (0, 0, 0),
    ) -> bool:
        """Write a line, if it fits into the picture and beside what is there; whether it did."""
        draw = ImageDraw.Draw(self.image)
        left, top, right, bottom = draw.textbbox(at, text, font, anchor=anchor, stroke_width=stroke)
        if left < 2 or top < 2 or right > self.width - 2 or bottom > self.height - 2:
            return False
        if any(left < x2 and x1 < right and top < y2 and y1 < bottom for x1, y1, x2, y2 in self._taken):
            return False
        draw.text(at, text, fill, font, anchor=anchor, stroke_width=stroke, stroke_fill=stroke_fill)
        self._taken.append((left, top, right, bottom))
        self.lines.append(text)
        return True

    def colour(self, low: int = 0, high: int = 255) -> Colour:
        """Some colour."""
        r, g, b = (self.random.randint(low, high) for _ in range(3))
        return r, g, b
