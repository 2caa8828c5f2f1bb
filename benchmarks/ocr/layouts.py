"""How writing comes in pictures of posts: each draws on a canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.ocr import grounds
from benchmarks.ocr.canvas import Canvas, Colour, a_number, some_words
from benchmarks.posts import NAMES

_BLACK: Final[Colour] = (0, 0, 0)
_WHITE: Final[Colour] = (255, 255, 255)


def meme(canvas: Canvas) -> None:
    """Large capitals with a rim, above and below."""
    size = canvas.height * canvas.random.uniform(0.07, 0.12)
    font = canvas.font(size, of="Bold")
    rim = max(2, int(size / 15))
    for at, anchor in ((0.03, "ma"), (0.97, "md")):
        text = some_words(canvas.random, canvas.random.randint(2, 5)).upper()
        where = canvas.width / 2, canvas.height * at
        canvas.write(text, where, font, _WHITE, anchor=anchor, stroke=rim)


def poster(canvas: Canvas) -> None:
    """Centred lines of many sizes and fonts."""
    canvas.image.paste(grounds.plain(canvas.image.size, canvas.random))
    y = canvas.height * canvas.random.uniform(0.05, 0.2)
    while y < canvas.height * 0.9:
        size = canvas.height * canvas.random.choice((0.03, 0.04, 0.06, 0.1))
        text = some_words(canvas.random, canvas.random.randint(1, 4))
        if canvas.random.random() < 0.4:
            text = text.upper()
        canvas.write(text, (canvas.width / 2, y), canvas.font(size), _against(canvas, y), anchor="ma")
        y += size * canvas.random.uniform(1.3, 2.2)


def screenshot(canvas: Canvas) -> None:
    """A post or an article on a telephone: many small lines."""
    dark = canvas.random.random() < 0.4
    canvas.image.paste((21, 32, 43) if dark else _WHITE, (0, 0, *canvas.image.size))
    ink: Colour = (230, 230, 235) if dark else (20, 20, 25)
    size = min(canvas.width, canvas.height) * canvas.random.uniform(0.026, 0.045)
    left, y = canvas.width * 0.05, canvas.height * 0.05
    ImageDraw.Draw(canvas.image).ellipse((left, y, left + 3 * size, y + 3 * size), canvas.colour())
    bold, font = canvas.font(size, of="Sans-Bold"), canvas.font(size, of="Sans")
    canvas.write(canvas.random.choice(NAMES), (left + 3.6 * size, y), bold, ink)
    canvas.write(some_words(canvas.random, 3), (left + 3.6 * size, y + 1.5 * size), font, (130, 140, 150))
    y += 4 * size
    for _ in range(canvas.random.randint(3, 18)):
        canvas.write(_line_of(canvas, font, canvas.width * 0.9), (left, y), font, ink)
        y += 1.5 * size


def sign(canvas: Canvas) -> None:
    """A plate that hangs in the scene and is seen from the side."""
    plate_size = int(canvas.width * canvas.random.uniform(0.35, 0.7)), int(canvas.height * 0.35)
    ground = canvas.colour()
    plate = Canvas(Image.new("RGB", plate_size, ground), canvas.random)
    ink = _WHITE if sum(ground) < 380 else _BLACK
    rows = canvas.random.randint(1, 3)
    for row in range(rows):
        text = some_words(canvas.random, canvas.random.randint(1, 3))
        y = plate.height * (row + 0.5) / rows
        plate.write(text, (plate.width / 2, y), plate.font(plate.height / rows * 0.45), ink, anchor="mm")
    _hang(canvas, plate)


def caption(canvas: Canvas) -> None:
    """A photograph with a credit or a date in small writing."""
    size = min(canvas.width, canvas.height) * canvas.random.uniform(0.025, 0.04)
    x, anchor = canvas.random.choice(((0.03, "ld"), (0.97, "rd")))
    text = some_words(canvas.random, canvas.random.randint(2, 5))
    where = canvas.width * x, canvas.height * 0.97
    canvas.write(text, where, canvas.font(size), _WHITE, anchor=anchor, stroke=1)


def scoreboard(canvas: Canvas) -> None:
    """A bar across the lower third, as on television."""
    top = int(canvas.height * canvas.random.uniform(0.68, 0.8))
    bar = canvas.colour(0, 90)
    canvas.image.paste(bar, (0, top, canvas.width, top + int(canvas.height * 0.18)))
    size = canvas.height * canvas.random.uniform(0.04, 0.06)
    for share, text in ((0.04, canvas.random.choice(NAMES)), (0.5, a_number(canvas.random))):
        canvas.write(text, (canvas.width * share, top + size * 0.3), canvas.font(size, of="Bold"), _WHITE)
    where = canvas.width * 0.04, top + size * 1.8
    canvas.write(some_words(canvas.random, 5), where, canvas.font(size * 0.6), (220, 220, 60))


def clutter(canvas: Canvas) -> None:
    """Words of all sizes and colours here and there, some hard to tell from their ground."""
    for _ in range(canvas.random.randint(3, 10)):
        size = canvas.height * canvas.random.choice((0.025, 0.035, 0.05, 0.08))
        at = canvas.random.uniform(0, canvas.width), canvas.random.uniform(0, canvas.height)
        text = some_words(canvas.random, canvas.random.randint(1, 2))
        canvas.write(text, at, canvas.font(size), canvas.colour(), stroke=canvas.random.choice((0, 0, 1)))


def receipt(canvas: Canvas) -> None:
    """Things and prices in columns."""
    paper = canvas.random.randint(225, 255)
    canvas.image.paste((paper, paper, paper - 10), (0, 0, *canvas.image.size))
    size = canvas.height * canvas.random.uniform(0.03, 0.045)
    font = canvas.font(size, of="Mono")
    y = canvas.height * 0.06
    while y < canvas.height * 0.92:
        canvas.write(some_words(canvas.random, 2), (canvas.width * 0.08, y), font, (40, 40, 50))
        canvas.write(a_number(canvas.random), (canvas.width * 0.92, y), font, (40, 40, 50), anchor="ra")
        y += size * 1.5


def page(canvas: Canvas) -> None:
    """A photographed or scanned page: columns of lines that are just large enough to be read."""
    canvas.image.paste((240, 238, 230), (0, 0, *canvas.image.size))
    size = max(11.0, min(canvas.width, canvas.height) * canvas.random.uniform(0.013, 0.02))
    font, columns = canvas.font(size, of="Serif"), canvas.random.choice((1, 2, 3))
    width = canvas.width * 0.9 / columns
    top = canvas.height * 0.05
    title = some_words(canvas.random, 4)
    if canvas.write(title, (canvas.width * 0.05, top), canvas.font(3 * size), _BLACK):
        top += 5 * size
    for column in range(columns):
        y = top
        while y < canvas.height * canvas.random.uniform(0.5, 0.95):
            left = canvas.width * 0.05 + column * width
            canvas.write(_line_of(canvas, font, width * 0.94), (left, y), font, (30, 30, 30))
            y += size * 1.4


def chart(canvas: Canvas) -> None:
    """Bars with small names and numbers."""
    canvas.image.paste(_WHITE, (0, 0, *canvas.image.size))
    size = min(canvas.width, canvas.height) * canvas.random.uniform(0.016, 0.026)
    font = canvas.font(size, of="Sans")
    title = some_words(canvas.random, 6)
    canvas.write(title, (canvas.width * 0.05, size), canvas.font(2 * size, of="Bold"), _BLACK)
    draw, colour = ImageDraw.Draw(canvas.image), canvas.colour(60, 200)
    for row in range(canvas.random.randint(5, 14)):
        y, length = size * (5 + 2.5 * row), canvas.width * canvas.random.uniform(0.05, 0.6)
        if canvas.write(canvas.random.choice(NAMES), (canvas.width * 0.24, y), font, _BLACK, anchor="ra"):
            draw.rectangle((canvas.width * 0.26, y, canvas.width * 0.26 + length, y + size), colour)
            canvas.write(a_number(canvas.random), (canvas.width * 0.28 + length, y), font, (90, 90, 90))


def distance(canvas: Canvas) -> None:
    """A few small plates far away in a large scene."""
    for _ in range(canvas.random.randint(1, 4)):
        size = max(12.0, min(canvas.width, canvas.height) * canvas.random.uniform(0.014, 0.022))
        font, text = canvas.font(size, of="Bold"), some_words(canvas.random, canvas.random.randint(1, 3))
        x = canvas.random.uniform(0.05, 0.6) * canvas.width
        y = canvas.random.uniform(0.1, 0.9) * canvas.height
        dark, light = canvas.colour(0, 80), canvas.colour(190, 255)
        ImageDraw.Draw(canvas.image).rectangle(
            (x - size / 2, y - size / 2, x + font.getlength(text) + size / 2, y + 1.6 * size), dark
        )
        if not canvas.write(text, (x, y), font, light):
            return


LAYOUTS: Final[dict[str, Callable[[Canvas], None]]] = {
    "meme": meme,
    "poster": poster,
    "screenshot": screenshot,
    "sign": sign,
    "caption": caption,
    "scoreboard": scoreboard,
    "clutter": clutter,
    "receipt": receipt,
    "page": page,
    "chart": chart,
    "distance": distance,
}


def _against(canvas: Canvas, y: float) -> Colour:
    """A colour that can be told from the ground at this height."""
    pixel = canvas.image.getpixel((canvas.width // 2, min(canvas.height - 1, int(y))))
    assert isinstance(pixel, tuple)
    return canvas.colour(0, 70) if sum(pixel) > 380 else canvas.colour(190, 255)


def _line_of(canvas: Canvas, font: ImageFont.FreeTypeFont, width: float) -> str:
    """As many words as fill a line."""
    words = some_words(canvas.random, 16).split()
    while font.getlength(" ".join(words)) > width:
        words.pop()
    return " ".join(words)


def _hang(canvas: Canvas, plate: Canvas) -> None:
    left = canvas.random.uniform(0.02, 0.98 - plate.width / canvas.width) * canvas.width
    top = canvas.random.uniform(0.05, 0.6) * canvas.height
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * (plate.width, plate.height)
    drift = plate.width * 0.06, plate.height * 0.12
    moved = [
        [left + canvas.random.uniform(-d, d), top + canvas.random.uniform(-e, e)] for d, e in [drift] * 4
    ]
    goal = np.clip(corners + np.array(moved), 0, (canvas.width - 1, canvas.height - 1))
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), goal.astype(np.float32))
    pixels = cv2.warpPerspective(np.asarray(plate.image), matrix, canvas.image.size, flags=cv2.INTER_AREA)
    whole = np.full((plate.height, plate.width), 255, np.uint8)
    mask = cv2.warpPerspective(whole, matrix, canvas.image.size)
    canvas.image.paste(Image.fromarray(pixels), (0, 0), Image.fromarray(mask))
    canvas.lines += plate.lines
