"""An extractor that looks at sizes only, counts, waits and fails as a test tells it."""

from __future__ import annotations

import asyncio

from streamproc.errors import ExtractorUnavailable
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.sandbox.decode import DecodeLimits, decode, digest_of, encode
from streamproc.vision.visuals import Modality, OcrLine, OcrText


class SizeExtractor(Extractor):
    """Gives each picture's size as a line of writing.

    Attributes:
        digests: of all pictures that it was shown.
        begun: set at its first picture.
        gate: cleared, it keeps pictures waiting until it is set.
        away: set, it is unavailable.
        known_away: set, it says so without being asked.
    """

    def __init__(
        self, modality: Modality = "ocr", version: str = "1", *, name: str = "", width: int | None = None
    ) -> None:
        self.name = name or modality
        self.modality = modality
        self.width = width
        self.versions = [version]
        self.digests: list[str] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False
        self.known_away = False
        self.closed = False

    async def version(self) -> str:
        if not self.versions:
            raise ExtractorUnavailable("nobody has answered yet")
        return self.versions[0]

    def unavailable(self) -> str | None:
        return "the server is away" if self.known_away else None

    async def extract(self, picture: Picture) -> Extracted:
        self.digests.append(picture.digest)
        self.begun.set()
        await self.gate.wait()
        if self.away:
            raise ExtractorUnavailable("the server is away")
        return Extracted(size_text(picture.width, picture.height), self.versions[-1])

    async def close(self) -> None:
        self.closed = True


class InThreads:
    """Decodes as the sandbox does, without its processes."""

    version = "in threads"

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self.opened = 0

    async def open(self, data: bytes) -> Picture:
        self.opened += 1
        return await asyncio.to_thread(self._make_safe, data)

    async def close(self) -> None:
        """It holds nothing."""

    def _make_safe(self, data: bytes) -> Picture:
        pixels = decode(data, self._limits)
        return Picture(digest_of(data), encode(pixels), *pixels.size)


def size_text(width: int, height: int) -> OcrText:
    return OcrText((OcrLine(f"{width} x {height}", 1.0, (0.0, 0.0, 1.0, 1.0)),))
