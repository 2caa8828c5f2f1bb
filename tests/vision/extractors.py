"""An extractor that looks at sizes only, counts, waits and fails as a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamproc.errors import ExtractorUnavailable
from streamproc.vision.api import Extractor, Picture
from streamproc.vision.visuals import Modality, OcrLine, OcrText, Value


class SizeExtractor(Extractor):
    """Gives each picture's size as a line of writing.

    Attributes:
        digests: of all pictures that it was shown.
        begun: set at its first picture.
        gate: cleared, it keeps pictures waiting until it is set.
        away: set, it is unavailable.
    """

    def __init__(self, modality: Modality = "ocr", version: str = "1") -> None:
        self.modality = modality
        self.version = version
        self.digests: list[str] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False
        self.closed = False

    async def extract(self, pictures: Sequence[Picture]) -> list[Value]:
        self.digests += [picture.digest for picture in pictures]
        self.begun.set()
        await self.gate.wait()
        if self.away:
            raise ExtractorUnavailable("the server is away")
        return [size_text(*picture.pixels.shape[1::-1]) for picture in pictures]

    async def close(self) -> None:
        self.closed = True


def size_text(width: int, height: int) -> OcrText:
    return OcrText((OcrLine(f"{width} x {height}", 1.0, (0.0, 0.0, 1.0, 1.0)),))
