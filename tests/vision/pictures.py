"""Pictures made for tests: files in every format, and headers that promise too much."""

from __future__ import annotations

import base64
import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The file of a picture."""
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def data_url(data: bytes) -> str:
    """A URL that holds the file itself."""
    return "data:;base64," + base64.b64encode(data).decode()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Red grows to the right, green to the bottom: every turn of it looks different."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, width)[None, :]
    pixels[:, :, 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


def noise(width: int = 64, height: int = 64) -> Image.Image:
    """What no format can make small."""
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8))


def written(*lines: str, size: int = 40, width: int = 640, height: int = 320) -> Image.Image:
    """Lines of writing, black on white."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((30, 20 + number * size * 2), line, "black", ImageFont.load_default(size))
    return image


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes whose header promises width x height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")
