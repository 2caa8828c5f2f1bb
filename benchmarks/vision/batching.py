"""Requests of one picture each: a Triton model that looks at them together against one that does not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Final

from PIL import Image

from benchmarks.ratios import Ratio
from benchmarks.vision.small_resnet import SIDE, WIDTH
from streamproc.vision.api import Picture
from streamproc.vision.names import Known
from streamproc.vision.triton import TritonExtractor, TritonOptions
from streamproc.vision.triton.client import TritonClient
from tests.services.triton import Triton, made_model, running

GOAL: Final = 2.0
CALLERS: Final = 32
PICTURES: Final = 512
_ENGINE: Final = "benchmarks.vision.small_resnet:SmallResNet"
_NO_BATCHES: Final = {"max_batch_size: 8": "max_batch_size: 1", "preferred_batch_size: [ 8 ]": ""}


def measure_batching(rounds: int, folder: Path) -> Ratio:
    """One network twice in one server: as streamproc's `global` is set up, and one picture at a time."""
    made, served = folder / "made", folder / "served"
    for place in (made, served):
        place.mkdir()
    models = [
        made_model(made, "global_batched", like="global", engine=_ENGINE),
        made_model(made, "global_single", like="global", engine=_ENGINE, changes=_NO_BATCHES),
    ]
    with running(served, models) as triton:
        return asyncio.run(_measure(rounds, triton))


async def _measure(rounds: int, triton: Triton) -> Ratio:
    options = TritonOptions(in_flight=CALLERS, deadline_s=120.0)
    client = TritonClient(triton.url, options)
    batched, single = (
        TritonExtractor(client, name, Known("global", WIDTH), options)
        for name in ("global_batched", "global_single")
    )
    pictures = [_picture(random.Random(number)) for number in range(PICTURES)]
    ratios = []
    try:
        for extractor in (batched, single):
            await _ask(extractor, pictures[:CALLERS])
        for _ in range(rounds):
            alone = await _ask(single, pictures)
            ratios.append(alone / await _ask(batched, pictures))
    finally:
        for extractor in (batched, single):
            await extractor.close()
    return Ratio.at_least("pictures/s of Triton, batching ÷ not", GOAL, ratios)


async def _ask(extractor: TritonExtractor, pictures: Sequence[Picture]) -> float:
    """Seconds that so many callers need, each of which asks about one picture after the other."""

    async def call(own: Sequence[Picture]) -> None:
        for picture in own:
            await extractor.extract(picture)

    start = perf_counter()
    await asyncio.gather(*(call(pictures[caller::CALLERS]) for caller in range(CALLERS)))
    return perf_counter() - start


def _picture(random_: random.Random) -> Picture:
    """Coloured noise, as the sandbox would write it."""
    file = BytesIO()
    noise = random_.randbytes(8 * 8 * 3)
    Image.frombytes("RGB", (8, 8), noise).resize((SIDE, SIDE)).save(file, "JPEG", quality=90)
    return Picture(noise.hex(), file.getvalue(), SIDE, SIDE)
