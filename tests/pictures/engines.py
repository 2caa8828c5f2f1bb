"""Engines that write down which pictures they looked at; pictures are known by their width."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from streamproc.vision.engine import Engine, Pixels
from streamproc.vision.visuals import Captions, Modality, OcrLine, OcrText, Value


class LogConfig(BaseModel):
    """`log`: a file that gets a line for each picture that was looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: Path


class _WrittenDown(Engine[LogConfig]):
    Config = LogConfig

    def __init__(self, config: LogConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        self.version = "written-down"

    def load(self) -> None:
        pass

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        with self.config.log.open("a") as log:
            for picture in pictures:
                log.write(f"{self.name} {picture.shape[1]}\n")
        return [self.see(picture) for picture in pictures]

    @abstractmethod
    def see(self, picture: Pixels) -> Value: ...


class Ocr(_WrittenDown):
    name = "ocr"
    modality: ClassVar[Modality] = "ocr"

    def see(self, picture: Pixels) -> Value:
        return OcrText((OcrLine(f"width {picture.shape[1]}", 1.0, (0.0, 0.0, 1.0, 1.0)),))


class Captioner(_WrittenDown):
    name = "captions"
    modality: ClassVar[Modality] = "captions"

    def see(self, picture: Pixels) -> Value:
        return Captions((f"a picture {picture.shape[1]} wide",), (-0.5,))
