"""A picture that Redis knows all of against one that nothing is known of."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Final

import redis

import streamproc.demo
from benchmarks.ratios import Ratio
from streamproc.settings import Vision
from streamproc.vision.api import Extractor
from streamproc.vision.names import Known
from streamproc.vision.one_picture import PictureLooker
from streamproc.wiring import make_picture_looker, open_extractors
from tests.vision.http_server import Request, http_server

GOAL: Final = 50.0
PASSES: Final = 20
"""Over the pictures once they are known: one pass is over too soon to be timed."""
_FOLDER: Final = Path(streamproc.demo.__file__).parent / "samples" / "pictures"
PICTURES: Final = {
    f"/{file.name}": file.read_bytes() for file in sorted(_FOLDER.iterdir()) if file.name != "cut_off.jpg"
}
"""The demo's pictures, 720 x 480 pixels, by path; all but the one that is broken on purpose."""


async def measure_hits(rounds: int, redis_url: str) -> Ratio:
    """Pictures one after the other through the whole look, the first time and when they are known.

    The first time is fetching over loopback, the sandbox, OCR in this process and keeping it.
    """
    vision = Vision(cache=redis_url, allow_private_addresses=True, host_rate=10_000)
    looker = make_picture_looker(vision)
    (ocr,) = open_extractors(vision, [Known("ocr")])
    ratios = []
    try:
        async with http_server(_serve) as server:
            urls = [server.url(path) for path in PICTURES]
            await _look(looker, ocr, urls[:1])  # loads the OCR, starts a decoder
            for _ in range(rounds):
                with redis.Redis.from_url(redis_url) as client:
                    client.flushall()
                missed = await _look(looker, ocr, urls, extracted=len(urls))
                hit = await _look(looker, ocr, urls * PASSES, extracted=0)
                ratios.append(missed / (hit / PASSES))
    finally:
        await looker.close()
        await ocr.close()
    return Ratio.at_least("pictures/s, known in Redis ÷ not known", GOAL, ratios)


async def _look(
    looker: PictureLooker, ocr: Extractor, urls: list[str], extracted: int | None = None
) -> float:
    """Seconds that it takes to look at pictures one after the other.

    Raises:
        RuntimeError: another number of them than `extracted` was really looked at.
    """
    before = looker.counts.extracted
    start = perf_counter()
    for url in urls:
        await looker.look(url, {"ocr": ocr}, False)
    seconds = perf_counter() - start
    if extracted is not None and looker.counts.extracted - before != extracted:
        raise RuntimeError(f"{looker.counts.extracted - before} pictures looked at, expected {extracted}")
    return seconds


async def _serve(request: Request) -> None:
    await request.reply(PICTURES[request.path])
