"""How a picture is drawn: a backdrop, panels with writing, darker corners, a camera's noise."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Backdrop: TypeAlias = Callable[[np.random.Generator], Image.Image]

SIZE = (720, 480)
FONTS = Path("/usr/share/fonts/truetype/dejavu")

WHITE: Colour = (250, 250, 246)
BLACK: Colour = (18, 18, 22)
CREAM: Colour = (243, 234, 212)
RED: Colour = (190, 32, 46)
NAVY: Colour = (22, 38, 84)
GREEN: Colour = (16, 104, 66)
BROWN: Colour = (92, 60, 38)
AMBER: Colour = (255, 190, 60)
SKY: Colour = (120, 180, 232)


@dataclass(frozen=True)
class Writing:
    """One line on a panel; `size` in pixels of the finished picture."""

    text: str
    size: int
    colour: Colour
    face: str = "Sans-Bold"


@dataclass(frozen=True)
class Panel:
    """A sign, poster, ticket or shirt: a rounded board with lines, turned a little."""

    lines: Sequence[Writing]
    fill: Colour
    width: int = 460
    angle: float = 0.0
    centre: tuple[float, float] = (0.5, 0.45)
    border: Colour | None = None
    corner: int = 14
    post: Colour | None = None
    """Colour of the pole that the board stands on, if it does."""
    align: str = "centre"
    air: int = 0
    """Room above and below the writing, in pixels: what makes a poster of a sign."""
    sleeves: bool = False
    hatch: Colour | None = None
    """Colour of fine stripes under the writing: cloth or planks."""


@dataclass(frozen=True)
class Scene:
    """One picture: what is behind, and what is written in it."""

    name: str
    backdrop: Backdrop
    panels: Sequence[Panel] = ()


# -- what is behind ---------------------------------------------------------------------------


def gradient(top: Colour, bottom: Colour) -> Image.Image:
    """From the top's colour to the bottom's."""
    share = np.linspace(0, 1, SIZE[1])[:, None, None]
    rows = (1 - share) * np.array(top) + share * np.array(bottom)
    return Image.fromarray(np.broadcast_to(rows, (SIZE[1], SIZE[0], 3)).astype(np.uint8))


def hills(top: Colour, bottom: Colour, ground: Sequence[Colour], sun: Colour | None = None) -> Backdrop:
    """Sky over ranges of wooded hills, the nearest last."""

    def draw(rng: np.random.Generator) -> Image.Image:
        image = gradient(top, bottom)
        if sun:
            x, y, radius = SIZE[0] * rng.uniform(0.55, 0.75), SIZE[1] * 0.42, 62
            ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=sun)
            image = image.filter(ImageFilter.GaussianBlur(3))
        for depth, colour in enumerate(ground):
            base = SIZE[1] * (0.5 + 0.4 * (depth + 1) / (len(ground) + 1))
            pen = ImageDraw.Draw(image)
            edge = ridge(rng, base)
            pen.polygon([*enumerate(edge), (SIZE[0], SIZE[1]), (0, SIZE[1])], fill=colour)
            for x in rng.integers(0, SIZE[0], 26 * depth):
                plant(pen, int(x), edge[x], rng.uniform(10, 22) * depth, colour)
            image = image.filter(ImageFilter.GaussianBlur(1.6 - min(1.4, 0.7 * depth)))
        return image

    return draw


def ridge(rng: np.random.Generator, base: float) -> list[float]:
    """Height of a range of hills, for each column of the picture."""
    x = np.arange(SIZE[0] + 1)
    waves = [rng.uniform(8, 34) * np.sin(x / rng.uniform(40, 170) + rng.uniform(0, 6)) for _ in range(3)]
    return [float(height) for height in base + np.sum(waves, axis=0)]


def plant(pen: ImageDraw.ImageDraw, x: int, y: float, height: float, colour: Colour) -> None:
    """A fir, in the colour of its hill."""
    for step in range(3):
        foot, half = y + 6 - step * height / 4, height / (3 + step)
        pen.polygon([(x - half, foot), (x + half, foot), (x, foot - height / 2)], fill=colour)


def lights(top: Colour, bottom: Colour, colours: Sequence[Colour], count: int = 60) -> Backdrop:
    """Lamps out of focus: a street at night, a stage, a hall."""

    def draw(rng: np.random.Generator) -> Image.Image:
        image = gradient(top, bottom).convert("RGBA")
        for _ in range(count):
            layer = Image.new("RGBA", SIZE)
            x, y = rng.uniform(0, SIZE[0]), rng.uniform(0, SIZE[1])
            radius = rng.uniform(5, 34)
            colour = colours[int(rng.integers(len(colours)))]
            alpha = int(rng.uniform(30, 110))
            ImageDraw.Draw(layer).ellipse(
                (x - radius, y - radius, x + radius, y + radius), fill=(*colour, alpha)
            )
            image.alpha_composite(layer)
        return image.convert("RGB").filter(ImageFilter.GaussianBlur(2.5))

    return draw


def bricks(colour: Colour, joint: Colour, brick: tuple[int, int] = (66, 26)) -> Backdrop:
    """A wall; large bricks make tiles."""

    def draw(rng: np.random.Generator) -> Image.Image:
        image = Image.new("RGB", SIZE, joint)
        pen = ImageDraw.Draw(image)
        width, height = brick
        for row in range(SIZE[1] // height + 1):
            for column in range(-1, SIZE[0] // width + 1):
                x = column * width + (row % 2) * width // 2
                shade = rng.uniform(0.86, 1.12)
                fill = tuple(min(255, int(part * shade)) for part in colour)
                pen.rectangle(
                    (x + 2, row * height + 2, x + width - 2, row * height + height - 2), fill=fill
                )
        return image.filter(ImageFilter.GaussianBlur(1.2))

    return draw


def planks(colour: Colour) -> Backdrop:
    """A table top."""

    def draw(rng: np.random.Generator) -> Image.Image:
        rows = np.repeat(rng.uniform(0.8, 1.1, 6), SIZE[1] // 6)[:, None]
        grain = np.cumsum(rng.normal(0, 0.012, SIZE[1]))[:, None]
        streak = rng.normal(0, 0.02, (SIZE[1], 1)) + rng.normal(0, 0.006, SIZE[::-1])
        shade = rows + grain - grain.mean() + streak
        return Image.fromarray(np.clip(shade[..., None] * np.array(colour), 0, 255).astype(np.uint8))

    return draw


# -- what is written --------------------------------------------------------------------------


def font(face: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu where it is installed, else the font that Pillow carries."""
    path = FONTS / f"DejaVu{face}.ttf"
    return ImageFont.truetype(path, size) if path.exists() else ImageFont.load_default(size)


def draw_panel(panel: Panel, scale: int = 2) -> Image.Image:
    """The board by itself, drawn large and made small again for smooth edges."""
    pad, gap = 26 * scale, (12 + panel.air // 4) * scale
    faces = [font(line.face, line.size * scale) for line in panel.lines]
    boxes = [face.getbbox(line.text) for face, line in zip(faces, panel.lines, strict=True)]
    height = int(
        sum(box[3] - box[1] for box in boxes) + gap * (len(boxes) - 1) + 2 * (pad + panel.air * scale)
    )
    width = max(panel.width * scale, int(max(box[2] - box[0] for box in boxes)) + 2 * pad)
    pole = 420 * scale if panel.post else 0
    board = Image.new("RGBA", (width, height + 2 * pole))
    pen = ImageDraw.Draw(board)
    if panel.post:
        pen.rectangle(
            (width // 2 - 9 * scale, pole, width // 2 + 9 * scale, height + 2 * pole), fill=panel.post
        )
    frame = (0, pole, width - 1, pole + height - 1)
    pen.rounded_rectangle(frame, panel.corner * scale, fill=panel.fill)
    if panel.hatch:
        for x in range(0, width, 18 * scale):
            pen.line(
                (x, pole + panel.corner * scale, x, pole + height - panel.corner * scale),
                panel.hatch,
                scale,
            )
    if panel.border:
        inset = 7 * scale
        inner = (inset, pole + inset, width - inset, pole + height - inset)
        pen.rounded_rectangle(inner, panel.corner * scale, outline=panel.border, width=3 * scale)
    y = float(pole + pad + panel.air * scale)
    for line, face, box in zip(panel.lines, faces, boxes, strict=True):
        x = pad if panel.align == "left" else (width - (box[2] - box[0])) / 2
        pen.text((x - box[0], y - box[1]), line.text, font=face, fill=line.colour)
        y += box[3] - box[1] + gap
    if panel.sleeves:
        board = sleeved(board, panel.fill)
    turned = board.rotate(panel.angle, Image.Resampling.BICUBIC, expand=True)
    return turned.resize((turned.width // scale, turned.height // scale), Image.Resampling.LANCZOS)


def sleeved(board: Image.Image, fill: Colour) -> Image.Image:
    """A shirt: the board with a sleeve on each side and a collar cut out."""
    reach = board.width // 4
    shirt = Image.new("RGBA", (board.width + 2 * reach, board.height))
    pen = ImageDraw.Draw(shirt)
    for outer, inner in ((0, reach + 30), (shirt.width, shirt.width - reach - 30)):
        middle = (outer + inner) // 2
        pen.polygon(
            [(inner, 4), (outer, board.height // 3), (middle, board.height // 2), (inner, 150)], fill=fill
        )
    shirt.alpha_composite(board, (reach, 0))
    pen.ellipse((shirt.width // 2 - 60, -46, shirt.width // 2 + 60, 30), fill=(0, 0, 0, 0))
    return shirt


def place(image: Image.Image, panel: Panel) -> None:
    """Set a panel into the picture, with its shadow."""
    board = draw_panel(panel)
    at = (
        int(SIZE[0] * panel.centre[0] - board.width / 2),
        int(SIZE[1] * panel.centre[1] - board.height / 2),
    )
    layer = Image.new("RGBA", SIZE)
    layer.paste(board, at)
    shadow = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    shadow.paste((0, 0, 0, 130), (7, 9), layer.getchannel("A").crop((0, 0, SIZE[0] - 7, SIZE[1] - 9)))
    image.alpha_composite(shadow.filter(ImageFilter.GaussianBlur(7)))
    image.alpha_composite(layer)


def render(scene: Scene) -> Image.Image:
    """The finished picture: backdrop, panels, darker corners, a camera's noise."""
    rng = np.random.default_rng(zlib.crc32(scene.name.encode()))
    image = scene.backdrop(rng).convert("RGBA")
    for panel in scene.panels:
        place(image, panel)
    y, x = np.mgrid[-1 : 1 : SIZE[1] * 1j, -1 : 1 : SIZE[0] * 1j]
    corners = 1 - 0.16 * (x**2 + y**2)
    pixels = np.asarray(image.convert("RGB")) * corners[..., None] + rng.normal(
        0, 3.0, (SIZE[1], SIZE[0], 1)
    )
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path) -> None:
    """JPEG as from a phone; PNG in few colours as from a screen."""
    if path.suffix == ".png":
        image.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    else:
        image.save(path, quality=82, optimize=True)
