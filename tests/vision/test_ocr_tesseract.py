"""The Tesseract program as the second engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamproc.errors import ExtractorUnavailable, PluginError
from streamproc.vision.engine import look_at_each
from streamproc.vision.ocr import OcrConfig, OcrEngine
from streamproc.vision.ocr.tesseract import TesseractReader, lines_of
from streamproc.vision.visuals import OcrText
from tests.services.process import require
from tests.vision.pictures import saved, written

TABLE = """\
level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t
4\t1\t1\t1\t1\t0\t20\t10\t100\t20\t-1\t
5\t1\t1\t1\t1\t1\t20\t10\t40\t20\t90.0\tKate
5\t1\t1\t1\t1\t2\t70\t12\t50\t20\t80.0\t"Bush
5\t1\t1\t1\t2\t1\t20\t50\t60\t25\t96.5\tlive
5\t1\t2\t1\t1\t1\t120\t50\t60\t25\t95\t \
"""


def test_the_words_of_a_line_are_put_together_with_the_box_around_them() -> None:
    first, second = lines_of(TABLE.splitlines(), (200, 100))
    assert (first.text, first.confidence, first.box) == ('Kate "Bush', 0.85, (0.1, 0.1, 0.6, 0.32))
    assert (second.text, second.confidence, second.box) == ("live", 0.965, (0.1, 0.5, 0.4, 0.75))


@pytest.fixture(scope="module")
def tesseract() -> OcrEngine:
    if shutil.which("tesseract") is None:
        require("tesseract", "not installed: apt-get install tesseract-ocr")
    engine = OcrEngine(OcrConfig(engine="tesseract"))
    engine.load()
    return engine


def test_known_words_are_read_in_order_with_boxes_around_them(tesseract: OcrEngine) -> None:
    (text,) = tesseract.look([np.asarray(written("Kate Bush live", "Hamburg 21 May"))])
    assert isinstance(text, OcrText)
    assert [line.text for line in text.lines] == ["Kate Bush live", "Hamburg 21 May"]
    left, top, right, bottom = text.lines[0].box
    assert 0.03 < left < 0.07
    assert 0.4 < right < 0.6
    assert 0.05 < top < bottom < 0.25


def test_a_picture_without_writing_has_no_lines(tesseract: OcrEngine) -> None:
    assert look_at_each(tesseract, [saved(Image.new("RGB", (200, 100), "navy"), "JPEG")]) == [OcrText(())]


def test_the_version_follows_the_engine_the_languages_and_the_least_confidence(
    tesseract: OcrEngine,
) -> None:
    configs = [
        OcrConfig(engine="tesseract", min_confidence=0.6),
        OcrConfig(engine="tesseract", languages=("osd",)),
    ]
    versions = {OcrEngine(config).version for config in configs}
    assert len(versions | {tesseract.version}) == 3
    assert OcrEngine(OcrConfig(engine="tesseract", seconds=3)).version == tesseract.version


def test_a_language_that_is_not_there_is_refused_with_what_to_install(tesseract: OcrEngine) -> None:
    with pytest.raises(
        PluginError, match=r"no language 'tlh', there are .*: apt-get install tesseract-ocr-tlh"
    ):
        TesseractReader(("eng", "tlh"), 5)


def test_without_the_program_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PluginError, match="apt-get install tesseract-ocr"):
        OcrEngine(OcrConfig(engine="tesseract"))


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, reading: str) -> TesseractReader:
    """A program of the same name that answers questions, and then does something else."""
    (folder / "eng.traineddata").write_bytes(b"")
    program = folder / "tesseract"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "--version) echo tesseract 5 ;;\n"
        f"--list-langs) printf 'languages in \"{folder}\" (1):\\neng\\n' ;;\n"
        f"*) {reading} ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return TesseractReader(("eng",), 0.2)


def test_a_program_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = _stand_in(tmp_path, monkeypatch, "exec tail -f /dev/null")
    with pytest.raises(ExtractorUnavailable, match=r"tesseract took more than 0\.2 s"):
        reader.read(np.zeros((8, 8, 3), np.uint8))


def test_a_program_that_fails_is_an_extractor_that_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = _stand_in(tmp_path, monkeypatch, "echo no memory >&2; exit 3")
    with pytest.raises(ExtractorUnavailable, match="tesseract ended with 3: no memory"):
        reader.read(np.zeros((8, 8, 3), np.uint8))
