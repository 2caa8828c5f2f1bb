"""Posts with a picture each, all known in Redis, against the same posts without.

Of the pictures 26 % have writing, as of those of tweets (wang2022-ita table 6), and the model reads it
beside the post. How much writing decides what that costs, so it is measured twice: as much as in the
demo's pictures, and as much as that table says.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from io import BytesIO
from time import perf_counter
from typing import Final

from PIL import Image

from benchmarks.posts import NAMES, WORDS, make_posts
from benchmarks.ratios import Ratio
from streamproc.pipeline import Pipeline
from streamproc.settings import load_settings
from streamproc.testing import MemorySink, memory_batch
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.look import Looker
from streamproc.vision.visuals import Modality, OcrLine, OcrText
from streamproc.wiring import open_pipeline, open_taggers
from tests.vision.http_server import Request, http_server

GOAL: Final = 0.7
MODEL: Final = "mner-tweets-sm"
BATCHES: Final = 4
BATCH: Final = 1_000
"""Posts that come together, as from Kafka."""
WITH_WRITING: Final = 0.26
TOKENS: Final = (9, 28)
"""Sub-tokens of a picture with writing, on average: in the demo's pictures, and in wang2022-ita's."""
_FILLING: Final = 64


class MadeUpWriting(Extractor):
    """Says what the real OCR might have read, under its name, so that Redis soon knows all pictures.

    Args:
        name: of the OCR.
        version: of the OCR.
        tokens: of a picture with writing, on average.
    """

    modality: Modality = "ocr"

    def __init__(self, name: str, version: str, tokens: int) -> None:
        self.name = name
        self._version = version
        self._tokens = tokens

    async def version(self) -> str:
        return self._version

    async def extract(self, picture: Picture) -> Extracted:
        return Extracted(_writing(random.Random(picture.digest), self._tokens), self._version)


async def measure_posts(rounds: int, redis_url: str, tokens: int) -> Ratio:
    """Posts with and without pictures in turn, through one pipeline in this process without Kafka."""
    settings = load_settings(
        environment={},
        assignments=[
            f"vision.cache={redis_url}", "vision.allow_private_addresses=true", "vision.host_rate=10000",
            f'routes=[{{primary="{MODEL}", look="always"}}]',
        ],
    )  # fmt: skip
    plain = [value for _, value in make_posts(BATCHES * BATCH)]
    sink = MemorySink()
    async with (
        open_taggers(settings) as taggers,
        open_pipeline(settings, sink, taggers) as pipeline,
    ):
        async with http_server(_serve) as server:
            urls = [server.url(f"/{tokens}/{number}.png") for number in range(len(plain))]
            await _fill(pipeline, urls, tokens)
        illustrated = [_with_picture(body, url) for body, url in zip(plain, urls, strict=True)]
        await _round(pipeline, sink, plain[:BATCH], illustrated[:BATCH])  # warms up
        ratios = [await _round(pipeline, sink, plain, illustrated) for _ in range(rounds)]
    return Ratio.at_least(f"posts/s, pictures known ÷ text, {tokens} tokens", GOAL, ratios)


async def _fill(pipeline: Pipeline, urls: Sequence[str], tokens: int) -> None:
    """Have Redis know all pictures: fetched, decoded and kept the usual way, only not really read."""
    assert isinstance(pipeline.looker, Looker)
    (ocr,) = pipeline.looker.extractors
    seen_by = {"ocr": MadeUpWriting(ocr.name, await ocr.version(), tokens)}
    look = pipeline.looker.pictures.look
    for start in range(0, len(urls), _FILLING):
        await asyncio.gather(*(look(url, seen_by, False) for url in urls[start : start + _FILLING]))


async def _round(
    pipeline: Pipeline, sink: MemorySink, plain: Sequence[bytes], illustrated: Sequence[bytes]
) -> float:
    """Rate of the posts with pictures ÷ rate of those without; both in turn, a batch at a time."""
    seconds = {"text": 0.0, "image+text": 0.0}
    for start in range(0, len(plain), BATCH):
        for view, bodies in (("text", plain), ("image+text", illustrated)):
            seconds[view] += await _tag(pipeline, sink, bodies[start : start + BATCH], view)
    return seconds["text"] / seconds["image+text"]


async def _tag(pipeline: Pipeline, sink: MemorySink, bodies: Sequence[bytes], view: str) -> float:
    """Seconds until the last post has ended.

    Raises:
        RuntimeError: not every post was tagged by this view: a picture was not known, or there was one.
    """
    sink.outputs.clear()
    start = perf_counter()
    await pipeline.process(memory_batch(bodies))
    seconds = perf_counter() - start
    if (right := sum(output.tagged.view == view for output in sink.outputs)) != len(bodies):
        raise RuntimeError(f"{right} of {len(bodies)} posts were tagged by {view}")
    return seconds


def _with_picture(body: bytes, url: str) -> bytes:
    return json.dumps(json.loads(body) | {"media": [{"type": "image", "url": url}]}).encode()


def _writing(random_: random.Random, tokens: int) -> OcrText:
    """Nothing, or short lines of names and other words, most of which are one sub-token."""
    if random_.random() >= WITH_WRITING:
        return OcrText(())
    length = max(1, round(random_.gauss(tokens, tokens / 2)))
    words: list[str] = []
    while len(words) < length:
        words += random_.choice(NAMES).split() if random_.random() < 0.2 else [random_.choice(WORDS)]
    lines = [" ".join(words[at : at + 3]) for at in range(0, len(words), 3)]
    return OcrText(tuple(OcrLine(line, 0.9, (0.1, 0.1, 0.9, 0.2)) for line in lines))


async def _serve(request: Request) -> None:
    """A small picture, another one for each path."""
    file = BytesIO()
    Image.frombytes("RGB", (8, 8), random.Random(request.path).randbytes(8 * 8 * 3)).save(file, "PNG")
    await request.reply(file.getvalue())
