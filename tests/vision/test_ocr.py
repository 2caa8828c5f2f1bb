"""rapidocr's networks read writing in pictures, in this process and without a network."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import PluginError, SettingsError
from streamproc.vision.engines import open_engine
from streamproc.vision.ocr import OcrConfig, OcrEngine, rapid
from streamproc.vision.ocr.rapid import bound_aspect
from streamproc.vision.ocr.reading import in_reading_order
from streamproc.vision.visuals import OcrLine, OcrText
from tests.services.process import require
from tests.vision.pictures import written

needs_rapidocr = pytest.mark.usefixtures("rapidocr")


@pytest.fixture(scope="module")
def rapidocr() -> None:
    if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
        require("rapidocr", "not installed: pip install 'streamproc[ocr]'")


@pytest.fixture(scope="module")
def ocr(rapidocr: None) -> OcrEngine:
    """One for all tests here: loading the engine takes the longest."""
    engine = OcrEngine(OcrConfig())
    engine.load()
    return engine


def _read(engine: OcrEngine, *images: Image.Image) -> list[OcrText]:
    texts = engine.look([np.asarray(image.convert("RGB")) for image in images])
    assert all(isinstance(text, OcrText) for text in texts)
    return texts  # type: ignore[return-value]


@needs_rapidocr
def test_known_words_are_read_in_order_with_boxes_around_them(ocr: OcrEngine) -> None:
    (text,) = _read(ocr, written("Kate Bush live", "Hamburg 21 May", "Hall 4"))
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
def test_a_picture_without_writing_has_no_lines(ocr: OcrEngine) -> None:
    assert _read(ocr, Image.new("RGB", (200, 100), "navy")) == [OcrText(())]


@needs_rapidocr
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (16_384, 10), (31, 33)])
def test_no_shape_of_a_picture_is_too_odd(ocr: OcrEngine, size: tuple[int, int]) -> None:
    (text,) = _read(ocr, Image.new("RGB", size, "white"))
    assert text == OcrText(())


@needs_rapidocr
def test_writing_in_a_long_strip_keeps_its_place(ocr: OcrEngine) -> None:
    (wide,) = _read(ocr, written("Hamburg", width=1600, height=100))
    (line,) = wide.lines
    assert line.text == "Hamburg"
    assert line.box[2] < 0.2
    assert line.box[1] < 0.4 < line.box[3] <= 1


@needs_rapidocr
def test_values_come_in_the_order_of_the_pictures(ocr: OcrEngine) -> None:
    words = ["Paris", "Lyon", "Nice", "Lille", "Toulouse", "Nantes"]
    texts = _read(ocr, *(written(word, width=200, height=100) for word in words))
    assert [text.lines[0].text for text in texts] == words


@needs_rapidocr
def test_several_threads_read_with_one_engine(ocr: OcrEngine) -> None:
    words = ["Paris", "Lyon", "Nice", "Lille", "Toulouse", "Nantes"] * 3
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(lambda word: _read(ocr, written(word, width=200, height=100))[0], words))
    assert [text.lines[0].text for text in texts] == words


@needs_rapidocr
def test_small_writing_in_a_large_picture_is_read_by_a_second_look(ocr: OcrEngine) -> None:
    picture = written("Berlin 24 May 1985", "Lake Victoria", size=14, width=2048, height=1536)
    once = OcrEngine(OcrConfig(small_writing=0))
    once.load()
    told = [line.text.replace(" ", "") for line in _read(ocr, picture)[0].lines]
    assert told == ["Berlin24May1985", "LakeVictoria"]
    assert [line.text.replace(" ", "") for line in _read(once, picture)[0].lines] != told


@needs_rapidocr
def test_lines_that_stand_on_their_head_are_read_if_asked_for(ocr: OcrEngine) -> None:
    turned = written("Kate Bush live", "Hamburg 21 May").rotate(180)
    engine = OcrEngine(OcrConfig(turned_lines=True))
    engine.load()
    told = [line.text.replace(" ", "") for line in _read(engine, turned)[0].lines]
    assert told == ["Hamburg21May", "KateBushlive"]
    assert [line.text.replace(" ", "") for line in _read(ocr, turned)[0].lines] != told


@needs_rapidocr
def test_a_line_less_certain_than_asked_for_is_left_out() -> None:
    strict = OcrEngine(OcrConfig(min_confidence=1.0))
    strict.load()
    assert _read(strict, written("Paris")) == [OcrText(())]


@needs_rapidocr
def test_a_line_of_two_characters_must_be_more_certain(ocr: OcrEngine) -> None:
    picture = written("Paris", "ok")
    assert [line.text for line in _read(ocr, picture)[0].lines] == ["Paris", "ok"]
    strict = OcrEngine(OcrConfig(min_short_confidence=1.0))
    strict.load()
    assert [line.text for line in _read(strict, picture)[0].lines] == ["Paris"]


@needs_rapidocr
def test_the_engine_says_nothing_by_itself(ocr: OcrEngine, capfd: pytest.CaptureFixture[str]) -> None:
    _read(ocr, Image.new("RGB", (50, 50)), written("Paris"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").level == logging.CRITICAL


@needs_rapidocr
def test_the_version_follows_every_parameter_and_is_the_same_for_the_same_ones() -> None:
    parameters = [
        OcrConfig(),
        OcrConfig(min_confidence=0.6),
        OcrConfig(min_short_confidence=0.6),
        OcrConfig(turned_lines=True),
        OcrConfig(detection_side=736),
        OcrConfig(small_writing=10),
    ]
    versions = [OcrEngine(p).version for p in parameters]
    assert len(set(versions)) == len(parameters)
    assert OcrEngine(OcrConfig()).version == versions[0]


def test_without_rapidocr_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapid, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match=r"pip install 'streamproc\[ocr\]'"):
        OcrEngine(OcrConfig())


def test_an_option_of_the_other_engine_is_refused() -> None:
    with pytest.raises(SettingsError, match="engine 'rapidocr' takes no languages, seconds"):
        open_engine("ocr", {"languages": ["eng"], "seconds": 3})
    with pytest.raises(SettingsError, match="engine 'tesseract' takes no detection_side"):
        open_engine("ocr", {"engine": "tesseract", "detection_side": 640})


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
        ((16_000, 10), (512, 2048), (2048, 1)),
        ((10, 16_000), (2048, 512), (1, 2048)),
        ((1, 1), (1, 1), (1, 1)),
    ],
)
def test_a_strip_is_padded_to_a_bearable_shape(
    size: tuple[int, int], shape: tuple[int, int], shown: tuple[int, int]
) -> None:
    pixels, part = bound_aspect(np.asarray(Image.new("RGB", size)))
    assert pixels.shape[:2] == shape
    assert part == shown
