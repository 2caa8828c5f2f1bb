"""A Triton server whose models do what a test tells them, and extractors that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from PIL import Image

from streamproc.vision.api import Picture
from streamproc.vision.names import Known
from streamproc.vision.triton import TritonExtractor, TritonOptions
from streamproc.vision.triton.client import TritonClient
from streamproc.vision.visuals import Modality
from tests.services.triton import Triton, made_model, running

ENGINES = "tests.triton_server.engines"
SMALL_QUEUE = {"max_queue_size: 128": "max_queue_size: 2"}
WRONG_MODEL = Path(__file__).with_name("wrong_model.py")

MakeExtractor = Callable[..., TritonExtractor]


@dataclass(frozen=True)
class Gate:
    """Keeps the engine of `ocr_gated` and `ocr_short` at a picture of width `GATED`."""

    folder: Path

    def open(self) -> None:
        (self.folder / "open").touch()

    def close(self) -> None:
        (self.folder / "open").unlink(missing_ok=True)
        (self.folder / "looked").write_text("")

    def looked(self) -> list[int]:
        """Widths of the pictures that the engine was given."""
        return [int(width) for width in (self.folder / "looked").read_text().split()]

    async def reached(self, width: int) -> None:
        """Wait until the engine was given such a picture."""
        while width not in self.looked():
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def _gate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate")


@pytest.fixture
def gate(_gate_folder: Path) -> Iterator[Gate]:
    """A closed gate; opened when the test has ended."""
    gate = Gate(_gate_folder)
    gate.close()
    yield gate
    gate.open()


@pytest.fixture(scope="session")
def obedient(tmp_path_factory: pytest.TempPathFactory, _gate_folder: Path) -> Iterator[Triton]:
    """`ocr_gated`, `ocr_short` with a queue of 2, `ocr_absent` without weights, and `grid_wrong`."""
    made = tmp_path_factory.mktemp("models")
    models = [
        made_model(made, "ocr_gated", engine=f"{ENGINES}:SizeEngine"),
        made_model(made, "ocr_short", engine=f"{ENGINES}:SizeEngine", changes=SMALL_QUEUE),
        made_model(made, "ocr_absent", engine=f"{ENGINES}:WithoutWeights"),
        made_model(made, "grid_wrong", like="grid", code=WRONG_MODEL),
    ]
    Gate(_gate_folder).open()
    parameters = {name: {"gate": str(_gate_folder)} for name in ("ocr_gated", "ocr_short")}
    with running(tmp_path_factory.mktemp("obedient"), models, parameters) as server:
        yield server


@pytest.fixture
async def extractor() -> AsyncIterator[MakeExtractor]:
    """Makes extractors: `extractor(triton, "ocr_gated", "ocr", deadline_s=1)`."""
    made: list[TritonExtractor] = []

    def make(
        triton: Triton,
        name: str,
        modality: Modality = "ocr",
        width: int | None = None,
        clock: Callable[[], float] = monotonic,
        **options: Any,
    ) -> TritonExtractor:
        chosen = TritonOptions(**options)
        client = TritonClient(triton.url, chosen)
        made.append(TritonExtractor(client, name, Known(modality, width), chosen, clock=clock))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def picture(width: int, height: int = 10) -> Picture:
    """A grey picture as the sandbox would write it."""
    file = BytesIO()
    Image.new("RGB", (width, height), "grey").save(file, "JPEG")
    return Picture(f"{width}x{height}", file.getvalue(), width, height)


def bytes_as_picture(data: bytes) -> Picture:
    """A picture whose file is anything."""
    return Picture(data.hex(), data, 1, 1)
