"""Engines that a test's Triton server runs: small, and obedient to the size of a picture."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from streamproc.errors import PluginError
from streamproc.testing.visuals import example_value
from streamproc.vision.engine import Engine, NoEngineConfig, Pixels
from streamproc.vision.visuals import Modality, OcrLine, OcrText, Regions, Value

GATED: Final = 99
"""Pictures of this width keep the engine waiting until the gate is open."""
FAILING: Final = 13
DEADLY: Final = 666


class GateConfig(BaseModel):
    """`gate`: a folder. The engine writes there at which it looks, and waits for a file `open`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Path | None = None


class SizeEngine(Engine[GateConfig]):
    """Reads from a picture its own width, and how many it was given together."""

    name = "ocr"
    modality: ClassVar[Modality] = "ocr"
    Config = GateConfig

    def __init__(self, config: GateConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        self.version = "size-1"

    def load(self) -> None:
        pass

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        widths = [picture.shape[1] for picture in pictures]
        if DEADLY in widths:
            os.kill(os.getpid(), signal.SIGKILL)
        if FAILING in widths:
            raise RuntimeError("it cannot bear thirteen")
        if self.config.gate is not None:
            with (self.config.gate / "looked").open("a") as looked:
                looked.writelines(f"{width}\n" for width in widths)
            while GATED in widths and not (self.config.gate / "open").exists():
                time.sleep(0.005)
        return [read(width, len(pictures)) for width in widths]


def read(width: int, together: int) -> OcrText:
    """What `SizeEngine` gives."""
    box = (0.0, 0.0, 1.0, 1.0)
    return OcrText((OcrLine(f"{width}", 1.0, box), OcrLine(f"{together} together", 1.0, box)))


class WithoutWeights(Engine[NoEngineConfig]):
    """Has no weights."""

    name = "ocr"
    modality: ClassVar[Modality] = "ocr"

    def __init__(self, config: NoEngineConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        raise PluginError("ocr_absent: no weights here: streamproc models pull them")

    def load(self) -> None:
        raise AssertionError

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        raise AssertionError


class _Example(Engine[NoEngineConfig]):
    """Gives the example of its modality; the picture's height is the seed."""

    def __init__(self, config: NoEngineConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        self.version = f"example-{self.name}-{device}"

    def load(self) -> None:
        pass

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        return [example_value(self.modality, picture.shape[0], self.width) for picture in pictures]


class Grid(_Example):
    name = "grid"
    modality: ClassVar[Modality] = "grid"
    width = 2048


class Global(_Example):
    name = "global"
    modality: ClassVar[Modality] = "global"
    width = 2048


class Inception(_Example):
    name = "global_inception"
    modality: ClassVar[Modality] = "global"
    width = 1024


class Captions(_Example):
    name = "captions"
    modality: ClassVar[Modality] = "captions"


class Objects(_Example):
    name = "objects"
    modality: ClassVar[Modality] = "objects"


class SomeRegions(_Example):
    """As many regions as the picture is high, modulo 3: none, one or two."""

    name = "regions"
    modality: ClassVar[Modality] = "regions"
    width = 1024

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        return [regions(picture.shape[0]) for picture in pictures]


def regions(height: int) -> Regions:
    """What `SomeRegions` gives."""
    found = height % 3
    random = np.random.default_rng(height)
    return Regions(
        boxes=np.full((found, 4), 0.5, np.float16),
        scores=np.full(found, 0.75, np.float16),
        features=random.standard_normal((found, 1024)).astype(np.float16),
    )


EXAMPLES: Final = {
    "grid": "Grid",
    "global": "Global",
    "global_inception": "Inception",
    "captions": "Captions",
    "objects": "Objects",
    "regions": "SomeRegions",
}
"""Which engine stands in for a model's own one."""
