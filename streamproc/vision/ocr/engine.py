"""The engine that reads: rapidocr's networks, or the Tesseract program."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final, Literal, Protocol, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamproc.errors import PluginError
from streamproc.vision.engine import Engine, Pixels
from streamproc.vision.ocr.rapid import RapidReader
from streamproc.vision.ocr.reading import in_reading_order
from streamproc.vision.ocr.tesseract import TesseractReader
from streamproc.vision.visuals import Modality, OcrLine, OcrText, Value

_MAX_WORKERS: Final = 4
_SHORT: Final = 2
_ONLY_OF: Final = {
    "detection_side": "rapidocr",
    "small_writing": "rapidocr",
    "turned_lines": "rapidocr",
    "languages": "tesseract",
    "seconds": "tesseract",
}


class OcrConfig(BaseModel):
    """How writing is read; part of the engine's version. docs/ocr.md has what each costs and gives.

    Attributes:
        engine: `rapidocr` carries its networks; `tesseract` is a program of the system's.
        min_confidence: lines below it are left out, 0 to 1.
        min_short_confidence: the same for lines of one or two characters, which are what is read where
            there is no writing.
        detection_side: rapidocr: writing is searched for in the picture with its longer side brought
            down to this many pixels, and read from the picture itself.
        small_writing: rapidocr: where lines come out lower than this many pixels in that search, it is
            searched again at a larger size; 0 does without.
        turned_lines: rapidocr: also read lines that stand on their head: a third network looks at each.
        languages: tesseract: the names of its trained data, most likely first.
        seconds: tesseract: how long one picture may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["rapidocr", "tesseract"] = "rapidocr"
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    min_short_confidence: float = Field(default=0.9, ge=0, le=1)
    detection_side: int = Field(default=640, ge=32, le=2048)
    small_writing: float = Field(default=14.0, ge=0)
    turned_lines: bool = False
    languages: tuple[str, ...] = Field(default=("eng",), min_length=1)
    seconds: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _only_what_the_engine_takes(self) -> Self:
        given = self.model_fields_set
        strangers = sorted(
            key for key, engine in _ONLY_OF.items() if engine != self.engine and key in given
        )
        if strangers:
            raise ValueError(f"engine {self.engine!r} takes no {', '.join(strangers)}")
        return self


class Reader(Protocol):
    """What reads one picture.

    Attributes:
        identity: its program, weights and parameters, for the version.
    """

    identity: dict[str, Any]

    def load(self) -> None:
        """Make it ready."""
        ...

    def read(self, picture: Pixels) -> list[OcrLine]:
        """The lines in a picture, in any order."""
        ...


class OcrEngine(Engine[OcrConfig]):
    """Modality `ocr`. Works offline.

    One picture a core at a time: a second core on the same picture costs half as much processor time
    again.

    Raises:
        PluginError: the library or program is not installed, or its models are not there.
    """

    name = "ocr"
    modality: ClassVar[Modality] = "ocr"
    Config = OcrConfig
    batch = 1

    def __init__(self, config: OcrConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        if device != "cpu":
            raise PluginError(f"ocr reads on the cpu only, got vision.engines.ocr.device = {device!r}")
        self._reader = _reader(config)
        parts = {
            "engine": config.engine,
            "min_confidence": (config.min_confidence, config.min_short_confidence, _SHORT),
            **self._reader.identity,
        }
        self.version = sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        self.workers = min(_MAX_WORKERS, os.cpu_count() or 1)

    def load(self) -> None:
        """Load the networks: about a second."""
        self._reader.load()

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """The writing in each picture."""
        return [self._read(picture) for picture in pictures]

    def _read(self, picture: Pixels) -> OcrText:
        lines = self._reader.read(picture)
        return OcrText(tuple(in_reading_order([line for line in lines if self._is_sure(line)])))

    def _is_sure(self, line: OcrLine) -> bool:
        length = len(line.text.strip())
        least = self.config.min_short_confidence if length <= _SHORT else self.config.min_confidence
        return length > 0 and line.confidence >= least


def _reader(config: OcrConfig) -> Reader:
    if config.engine == "tesseract":
        return TesseractReader(config.languages, config.seconds)
    return RapidReader(config.detection_side, config.small_writing, turned_lines=config.turned_lines)
