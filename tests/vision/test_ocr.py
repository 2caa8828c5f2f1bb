"""rapidocr reads writing in pictures, in this process and without a network."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import ExtractorUnavailable, PluginError
from streamproc.vision import ocr as ocr_module
from streamproc.vision.api import Picture
from streamproc.vision.ocr import OcrParameters, RapidOcrExtractor, bound_aspect, in_reading_order
from streamproc.vision.visuals import OcrLine, OcrText
from tests.services.process import require
from tests.vision.pictures import written

needs_rapidocr = pytest.mark.usefixtures("rapidocr")


@pytest.fixture(scope="module")
def rapidocr() -> None:
    if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
        require("rapidocr", "not installed: pip install 'streamproc[ocr]'")


def _picture(image: Image.Image) -> Picture:
    return Picture("digest", np.asarray(image.convert("RGB")))


@pytest.fixture(scope="module")
def ocr(rapidocr: None) -> Iterator[RapidOcrExtractor]:
    """One for all tests here: loading the engine takes the longest."""
    extractor = RapidOcrExtractor()
    yield extractor
    asyncio.run(extractor.close())


async def _read(extractor: RapidOcrExtractor, *images: Image.Image) -> list[OcrText]:
    texts = await extractor.extract([_picture(image) for image in images])
    assert all(isinstance(text, OcrText) for text in texts)
    return texts  # type: ignore[return-value]


@needs_rapidocr
async def test_known_words_are_read_in_order_with_boxes_around_them(ocr: RapidOcrExtractor) -> None:
    (text,) = await _read(ocr, written("Kate Bush live", "Hamburg 21 May", "Hall 4"))
    assert [line.text.replace(" ", "") for line in text.lines] == ["KateBushlive", "Hamburg21May", "Hall4"]
    for number, line in enumerate(text.lines):
        left, top, right, bottom = line.box
        middle = (20 + number * 80 + 20) / 320
        assert 0.02 < left < 0.07
        assert left < right <= 1
        assert top < middle < bottom
        assert bottom - top < 0.2
        assert line.confidence > 0.8


@needs_rapidocr
async def test_a_picture_without_writing_has_no_lines(ocr: RapidOcrExtractor) -> None:
    assert await _read(ocr, Image.new("RGB", (200, 100), "navy")) == [OcrText(())]


@needs_rapidocr
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (16_384, 10), (31, 33)])
async def test_no_shape_of_a_picture_is_too_odd(ocr: RapidOcrExtractor, size: tuple[int, int]) -> None:
    (text,) = await _read(ocr, Image.new("RGB", size, "white"))
    assert text == OcrText(())


@needs_rapidocr
async def test_writing_in_a_long_strip_keeps_its_place(ocr: RapidOcrExtractor) -> None:
    (wide,) = await _read(ocr, written("Hamburg", width=1600, height=100))
    (line,) = wide.lines
    assert line.text == "Hamburg"
    assert line.box[2] < 0.2
    assert line.box[1] < 0.4 < line.box[3] <= 1


@needs_rapidocr
async def test_values_come_in_the_order_of_the_pictures(ocr: RapidOcrExtractor) -> None:
    words = ["Paris", "Lyon", "Nice", "Lille", "Toulouse", "Nantes"]
    texts = await _read(ocr, *(written(word, width=200, height=100) for word in words))
    assert [text.lines[0].text for text in texts] == words


@needs_rapidocr
async def test_the_loop_runs_on_while_a_picture_is_read(ocr: RapidOcrExtractor) -> None:
    reading = asyncio.create_task(_read(ocr, written("Paris")))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 1


@needs_rapidocr
async def test_a_line_less_certain_than_asked_for_is_left_out() -> None:
    strict = RapidOcrExtractor(OcrParameters(min_confidence=1.0))
    assert await _read(strict, written("Paris")) == [OcrText(())]
    await strict.close()


@needs_rapidocr
async def test_the_engine_says_nothing_by_itself(
    ocr: RapidOcrExtractor, capfd: pytest.CaptureFixture[str]
) -> None:
    await _read(ocr, Image.new("RGB", (50, 50)), written("Paris"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").level == logging.CRITICAL


@needs_rapidocr
async def test_the_version_follows_every_parameter_and_is_the_same_for_the_same_ones() -> None:
    parameters = [
        OcrParameters(),
        OcrParameters(min_confidence=0.6),
        OcrParameters(turned_lines=True),
        OcrParameters(detection_side=640),
    ]
    versions = [RapidOcrExtractor(p).version for p in parameters]
    assert len(set(versions)) == len(parameters)
    assert RapidOcrExtractor(OcrParameters(), workers=2).version == versions[0]


@needs_rapidocr
async def test_an_engine_that_fails_is_an_extractor_that_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_: object) -> object:
        raise RuntimeError("no memory")

    extractor = RapidOcrExtractor()
    monkeypatch.setattr(extractor, "_engine", broken)
    with pytest.raises(ExtractorUnavailable, match="rapidocr failed: RuntimeError"):
        await _read(extractor, written("Paris"))
    await extractor.close()


def test_without_rapidocr_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr_module, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match=r"pip install 'streamproc\[ocr\]'"):
        RapidOcrExtractor()


def _line(text: str, left: float, top: float, height: float = 0.1) -> OcrLine:
    return OcrLine(text, 1.0, (left, top, left + 0.3, top + height))


def test_lines_side_by_side_are_read_from_the_left_and_rows_from_the_top() -> None:
    lines = [_line("d", 0.5, 0.33), _line("b", 0.5, 0.09), _line("c", 0.1, 0.3), _line("a", 0.1, 0.12)]
    assert "".join(line.text for line in in_reading_order(lines)) == "abcd"


def test_lines_close_below_each_other_are_rows_of_their_own() -> None:
    lines = [_line("a", 0.4, 0.1, 0.05), _line("b", 0.3, 0.15, 0.05), _line("c", 0.2, 0.2, 0.05)]
    assert "".join(line.text for line in in_reading_order(lines)) == "abc"


@pytest.mark.parametrize(
    ("size", "shape", "shown"),
    [
        ((400, 100), (100, 400), (400, 100)),
        ((401, 100), (101, 401), (401, 100)),
        ((100, 900), (900, 225), (100, 900)),
        ((16_000, 10), (500, 2000), (2000, 1)),
        ((10, 16_000), (2000, 500), (1, 2000)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_a_strip_is_padded_to_a_bearable_shape(
    size: tuple[int, int], shape: tuple[int, int], shown: tuple[int, int]
) -> None:
    pixels, part = bound_aspect(np.asarray(Image.new("RGB", size)))
    assert pixels.shape[:2] == shape
    assert part == shown
