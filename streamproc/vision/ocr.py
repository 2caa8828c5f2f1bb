"""Reading the writing in pictures in this process, with rapidocr."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from streamproc.errors import ExtractorUnavailable, PluginError
from streamproc.vision.api import Extractor, Picture
from streamproc.vision.visuals import Box, Modality, OcrLine, OcrText, Value

_MODELS: Final = {"Det": "*_det_*.onnx", "Rec": "*_rec_*.onnx", "Cls": "*_cls_*.onnx"}
_MAX_SIDE: Final = 2000
_MAX_ASPECT: Final = 4
_MAX_WORKERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrParameters:
    """How rapidocr reads; part of the extractor's version.

    Attributes:
        min_confidence: lines below it are left out, 0 to 1.
        turned_lines: also read lines that stand on their head: a third model looks at each line.
        detection_side: writing is searched for in the picture with its longer side brought down
            to this many pixels, and read from the picture itself. On generated scenes 1280 needs
            less than half the time of the engine's own rule (shorter side brought up to 736) and
            reads no less; smaller is faster and misses small writing in photographs.
    """

    min_confidence: float = 0.5
    turned_lines: bool = False
    detection_side: int = 1280


class RapidOcrExtractor(Extractor):
    """Modality `ocr`. Works offline: rapidocr's wheel carries its models.

    The engine is loaded at the first look (1 s to 3 s), in the extractor's own thread: a worker that
    meets no picture does without it.

    Args:
        parameters: how to read.
        workers: pictures that are read at once, each on one core: a second core on the same
            picture costs half as much processor time again. By default one a core, at most 4.

    Raises:
        PluginError: rapidocr is not installed, or its models are not there.
    """

    modality: Modality = "ocr"

    def __init__(self, parameters: OcrParameters | None = None, *, workers: int | None = None) -> None:
        self.parameters = parameters or OcrParameters()
        self._models = _find_models()
        self.version = _version(self._models, self.parameters)
        workers = workers or min(_MAX_WORKERS, os.cpu_count() or 1)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="ocr")
        self._loading = Lock()
        self._engine: Any = None

    async def extract(self, pictures: Sequence[Picture]) -> list[Value]:
        """The writing in each picture.

        Raises:
            ExtractorUnavailable: the engine failed on one of the pictures.
        """
        loop = asyncio.get_running_loop()
        reads = (loop.run_in_executor(self._executor, self._read, picture) for picture in pictures)
        return list(await asyncio.gather(*reads))

    async def close(self) -> None:
        """Wait for the pictures that are being read; those that wait are given up."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)

    def _read(self, picture: Picture) -> OcrText:
        pixels, shown = bound_aspect(picture.pixels)
        try:
            # The models were trained on pictures in OpenCV's order: blue, green, red.
            result = self._load()(np.ascontiguousarray(pixels[:, :, ::-1]))
        except Exception as error:
            # The engine wraps four libraries, each with errors of its own.
            raise ExtractorUnavailable(f"rapidocr failed: {type(error).__name__}") from error
        if not result.txts:
            return OcrText(())
        lines = [
            OcrLine(text, round(float(score), 4), _fractions(quad, shown))
            for text, score, quad in zip(result.txts, result.scores, result.boxes, strict=True)
        ]
        return OcrText(tuple(in_reading_order(lines)))

    def _load(self) -> Any:
        with self._loading:
            if self._engine is None:
                from rapidocr import RapidOCR

                self._engine = RapidOCR(params=self._engine_parameters())
        return self._engine

    def _engine_parameters(self) -> dict[str, Any]:
        return {
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "Global.log_level": "critical",
            "Global.max_side_len": _MAX_SIDE,
            "Global.text_score": self.parameters.min_confidence,
            "Global.use_cls": self.parameters.turned_lines,
            "Det.limit_type": "max",
            "Det.limit_side_len": self.parameters.detection_side,
            # Named, so that the engine never looks for other ones on the network.
            **{f"{part}.model_path": str(path) for part, path in self._models.items()},
        }


def bound_aspect(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A very long or very wide picture, padded at its right or bottom to a bearable shape.

    The engine brings a picture's longer side down and then its shorter side up: a strip of
    10 x 16000 pixels would come to nothing, or to a hundred times itself. Other pictures are
    given back as they are.

    Returns:
        the pixels, and the width and height of the part that shows the picture.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= _MAX_ASPECT * min(height, width):
        return pixels, (width, height)
    scale = min(1.0, _MAX_SIDE / longer)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1.0:
        pixels = np.asarray(Image.fromarray(pixels).resize(shown, Image.Resampling.LANCZOS))
    shorter = -(-max(shown) // _MAX_ASPECT)
    padding = ((0, max(0, shorter - shown[1])), (0, max(0, shorter - shown[0])), (0, 0))
    return np.pad(pixels, padding), shown


def in_reading_order(lines: Sequence[OcrLine]) -> list[OcrLine]:
    """Top to bottom; lines side by side, with centres less than half a line apart, left to right."""
    rows: list[list[OcrLine]] = []
    for line in sorted(lines, key=_centre):
        if rows:
            first = rows[-1][0]
            if _centre(line) - _centre(first) < min(_height(line), _height(first)) / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box[0])]


def _centre(line: OcrLine) -> float:
    return (line.box[1] + line.box[3]) / 2


def _height(line: OcrLine) -> float:
    return line.box[3] - line.box[1]


def _fractions(quad: NDArray[np.float32], shown: tuple[int, int]) -> Box:
    """The upright box around four corners (4, 2) in pixels, as fractions of the picture."""
    low, high = quad.min(axis=0) / shown, quad.max(axis=0) / shown
    left, top, right, bottom = np.clip(np.concatenate((low, high)), 0, 1).round(4).tolist()
    return left, top, right, bottom


def _find_models() -> dict[str, Path]:
    """The wheel's model files, by the engine's name of the part."""
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None or find_spec("onnxruntime") is None:
        raise PluginError("reading pictures needs rapidocr: pip install 'streamproc[ocr]'")
    folder = Path(spec.origin).parent / "models"
    models = {}
    for part, pattern in _MODELS.items():
        found = sorted(folder.glob(pattern))
        if not found:
            raise PluginError(
                f"rapidocr {metadata.version('rapidocr')} carries no model {pattern}: "
                "pip install 'streamproc[ocr]' brings a release that does"
            )
        models[part] = found[0]
    return models


def _version(models: Mapping[str, Path], parameters: OcrParameters) -> str:
    """Hash of engine, weights and every parameter."""
    parts: dict[str, Any] = {
        "engine": {name: metadata.version(name) for name in ("rapidocr", "onnxruntime")},
        "shape": (_MAX_SIDE, _MAX_ASPECT),
        "parameters": asdict(parameters),
    }
    for part, path in models.items():
        with path.open("rb") as file:
            parts[part] = file_digest(file, "sha256").hexdigest()
    return sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
