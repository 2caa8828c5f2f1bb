"""The Tesseract program: a picture goes in, a table of words comes out."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from hashlib import file_digest
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from streamproc.errors import ExtractorUnavailable, PluginError
from streamproc.vision.engine import Pixels
from streamproc.vision.ocr.reading import as_fractions
from streamproc.vision.visuals import OcrLine

_WORD: Final = "5"
_BOX: Final = ("left", "top", "width", "height")
_LAYOUT: Final = "11"
_QUESTION_SECONDS: Final = 20
_INSTALL: Final = "apt-get install tesseract-ocr"


class TesseractReader:
    """Runs `tesseract` once a picture, on one core, without a file.

    Args:
        languages: names of its trained data, most likely first.
        seconds: how long one picture may take.

    Raises:
        PluginError: the program or a language is not there.
    """

    def __init__(self, languages: Sequence[str], seconds: float) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise PluginError(f"engine 'tesseract' needs the program of that name: {_INSTALL}")
        self._seconds = seconds
        self._command = (program, "stdin", "stdout", "-l", "+".join(languages), "--psm", _LAYOUT, "tsv")
        self.identity: dict[str, Any] = {
            "program": _ask(program, "--version").splitlines()[0],
            "languages": [(name, _digest(file)) for name, file in _trained(program, languages)],
            "layout": _LAYOUT,
        }

    def load(self) -> None:
        """Nothing: each picture is a process of its own."""

    def read(self, picture: Pixels) -> list[OcrLine]:
        """The lines in a picture.

        Raises:
            ExtractorUnavailable: the program failed, or took too long.
        """
        file = BytesIO()
        Image.fromarray(picture).save(file, "PPM")
        try:
            done = subprocess.run(
                self._command, input=file.getvalue(), capture_output=True, timeout=self._seconds,
                env=_one_core(), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ExtractorUnavailable(f"tesseract took more than {self._seconds:g} s") from None
        if done.returncode != 0:
            fault = done.stderr.decode(errors="replace").strip().splitlines() or ["without a word"]
            raise ExtractorUnavailable(f"tesseract ended with {done.returncode}: {fault[-1][:150]}")
        return list(lines_of(done.stdout.decode().splitlines(), (picture.shape[1], picture.shape[0])))


def lines_of(table: Iterable[str], size: tuple[int, int]) -> Iterator[OcrLine]:
    """The lines in Tesseract's table of words.

    Args:
        table: its rows, the header first.
        size: width and height of the picture, in pixels.
    """
    rows = csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if row["level"] == _WORD and row["text"].strip()]
    for _, grouped in groupby(words, key=lambda row: (row["block_num"], row["par_num"], row["line_num"])):
        line = list(grouped)
        boxes = np.array([[int(row[key]) for key in _BOX] for row in line], np.float32)
        corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))
        confidence = float(np.mean([float(row["conf"]) for row in line])) / 100
        yield OcrLine(
            " ".join(row["text"].strip() for row in line),
            round(min(1.0, max(0.0, confidence)), 4),
            as_fractions(corners, size),
        )


def _trained(program: str, languages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The file of each language.

    Raises:
        PluginError: one is not there.
    """
    listed = _ask(program, "--list-langs")
    folder, known = re.search(r'"(.+)"', listed), listed.splitlines()[1:]
    for name in languages:
        if name not in known or folder is None:
            raise PluginError(
                f"tesseract has no language {name!r}, there are {', '.join(known) or 'none'}: "
                f"{_INSTALL}-{name.replace('_', '-')}"
            )
        yield name, Path(folder[1]) / f"{name}.traineddata"


def _ask(program: str, question: str) -> str:
    try:
        done = subprocess.run(
            (program, question), capture_output=True, text=True, timeout=_QUESTION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PluginError(f"{program} {question} failed: {error}: {_INSTALL}") from error
    return done.stdout


def _one_core() -> dict[str, str]:
    """The program's environment: its threads gain little and take other pictures' cores."""
    return {**os.environ, "OMP_THREAD_LIMIT": "1"}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
