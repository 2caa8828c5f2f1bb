"""An engine in this process: loaded once and late, pictures together, one bad one costs itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event
from typing import ClassVar

import pytest

from streamproc.errors import ExtractorUnavailable, PluginError, SettingsError
from streamproc.vision.api import Picture
from streamproc.vision.engine import Engine, NoEngineConfig, Pixels
from streamproc.vision.engines import engine_names, find_engine, open_engine
from streamproc.vision.local import LocalExtractor
from streamproc.vision.visuals import Captions, Modality, Value
from tests.vision.extractors import size_text
from tests.vision.pictures import gradient, saved


class SizeEngine(Engine[NoEngineConfig]):
    """Gives sizes; fails on pictures 13 wide, waits at `gate`, and cannot be loaded where told so."""

    name = "ocr"
    modality: ClassVar[Modality] = "ocr"
    batch = 4
    version = "sizes"
    broken = False

    def __init__(self) -> None:
        super().__init__(NoEngineConfig())
        self.loads = 0
        self.batches: list[int] = []
        self.gate = Event()
        self.gate.set()
        self.closed = False

    def load(self) -> None:
        self.loads += 1
        if self.broken:
            raise ValueError("no such weights")

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        self.gate.wait(10)
        self.batches.append(len(pictures))
        if any(picture.shape[1] == 13 for picture in pictures):
            raise RuntimeError("unlucky")
        return [self.see(picture) for picture in pictures]

    def see(self, picture: Pixels) -> Value:
        height, width = picture.shape[:2]
        return size_text(width, height)

    def close(self) -> None:
        self.closed = True


def picture(width: int = 10, height: int = 20) -> Picture:
    return Picture(f"{width}x{height}", saved(gradient(width, height), "JPEG"), width, height)


async def test_the_engine_is_loaded_at_the_first_look_and_once() -> None:
    engine = SizeEngine()
    extractor = LocalExtractor(engine)
    assert (await extractor.version(), engine.loads) == ("sizes", 0)
    seen = await asyncio.gather(*(extractor.extract(picture(n, 20)) for n in (10, 40, 30)))
    assert [e.value for e in seen] == [size_text(10, 20), size_text(40, 20), size_text(30, 20)]
    assert {e.version for e in seen} == {"sizes"}
    assert engine.loads == 1
    await extractor.close()
    assert engine.closed


async def test_pictures_that_come_while_it_looks_are_looked_at_together() -> None:
    engine = SizeEngine()
    engine.gate.clear()
    extractor = LocalExtractor(engine)
    looks = [asyncio.create_task(extractor.extract(picture(n, 20))) for n in range(1, 8)]
    await asyncio.sleep(0)
    engine.gate.set()
    seen = await asyncio.gather(*looks)
    assert [e.value for e in seen] == [size_text(n, 20) for n in range(1, 8)]
    assert sum(engine.batches) == 7
    assert max(engine.batches) == 4, "no more at a time than the engine takes"
    await extractor.close()


async def test_a_picture_that_the_engine_fails_on_costs_itself() -> None:
    extractor = LocalExtractor(SizeEngine())
    good, bad = await asyncio.gather(
        extractor.extract(picture()), extractor.extract(picture(13)), return_exceptions=True
    )
    assert not isinstance(good, BaseException)
    assert isinstance(bad, ExtractorUnavailable)
    assert str(bad) == "ocr failed: RuntimeError: unlucky"
    await extractor.close()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (Captions((), ()), "ocr gave a Captions for ocr"),
        (size_text(1, 1).lines, "ocr gave a tuple for ocr"),
    ],
)
async def test_a_value_that_is_none_is_not_given_on(
    monkeypatch: pytest.MonkeyPatch, value: Value, fault: str
) -> None:
    engine = SizeEngine()
    monkeypatch.setattr(engine, "see", lambda picture: value)
    extractor = LocalExtractor(engine)
    with pytest.raises(ExtractorUnavailable, match=fault):
        await extractor.extract(picture())
    await extractor.close()


async def test_an_engine_that_cannot_be_loaded_is_unavailable_and_not_tried_again() -> None:
    engine = SizeEngine()
    engine.broken = True
    extractor = LocalExtractor(engine)
    assert extractor.unavailable() is None
    for _ in range(2):
        with pytest.raises(ExtractorUnavailable, match="cannot be loaded: ValueError: no such weights"):
            await extractor.extract(picture())
    assert (engine.loads, extractor.unavailable()) == (
        1,
        "ocr cannot be loaded: ValueError: no such weights",
    )
    await extractor.close()


async def test_a_caller_that_left_is_not_looked_for() -> None:
    engine = SizeEngine()
    engine.gate.clear()
    extractor = LocalExtractor(engine)
    first = asyncio.create_task(extractor.extract(picture(1)))
    second = asyncio.create_task(extractor.extract(picture(2)))
    third = asyncio.create_task(extractor.extract(picture(3)))
    await asyncio.sleep(0)
    engine.gate.set()
    second.cancel()
    await asyncio.gather(first, third)
    assert sum(engine.batches) <= 3
    await extractor.close()


def test_engines_are_found_by_name_and_a_bad_configuration_is_named() -> None:
    assert "ocr" in engine_names()
    with pytest.raises(PluginError, match="no extractor named 'orc': did you mean ocr"):
        find_engine("orc")
    with pytest.raises(PluginError, match="expected a class derived from Engine"):
        find_engine("streamproc.vision.visuals:OcrText")
    with pytest.raises(SettingsError, match=r"vision\.engines\.ocr: sped: unknown key, known are"):
        open_engine("ocr", {"sped": 1})
