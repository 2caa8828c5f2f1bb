"""rapidocr's networks: one finds lines, one reads them, one tells which stand on their head."""

from __future__ import annotations

from hashlib import file_digest
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streamproc.errors import PluginError
from streamproc.vision.engine import Pixels
from streamproc.vision.ocr.detection import PARAMETERS, find_lines
from streamproc.vision.ocr.detector import LineDetector
from streamproc.vision.ocr.reading import as_fractions
from streamproc.vision.visuals import OcrLine

_MODELS: Final = {"Det": "*_det_*.onnx", "Rec": "*_rec_*.onnx", "Cls": "*_cls_*.onnx"}
_MAX_SIDE: Final = 2048
_MAX_ASPECT: Final = 4
_DOUBTFUL: Final = 0.3
_LINE_HEIGHT: Final = 48


class RapidReader:
    """Finds lines in a small copy of the picture and reads each from the picture itself.

    Each line is read by itself, at its own width: rapidocr's batches of six are as wide as the widest,
    and never narrower than 320 pixels.

    Args:
        detection_side: of the copy, in pixels.
        small_writing: lines that are lower in the copy are searched for again, in pixels.
        turned_lines: turn lines that stand on their head.

    Raises:
        PluginError: rapidocr is not installed, or its models are not there.
    """

    def __init__(self, detection_side: int, small_writing: float, *, turned_lines: bool) -> None:
        self._side = detection_side
        self._small = small_writing
        self._turned_lines = turned_lines
        self._models = find_models()
        self._find: Any = None
        self._read_line: Any = None
        self.identity = {
            "libraries": {name: metadata.version(name) for name in ("rapidocr", "onnxruntime")},
            "models": {part: _digest(path) for part, path in self._models.items()},
            "parameters": (
                detection_side, small_writing, turned_lines,
                _MAX_SIDE, _MAX_ASPECT, _DOUBTFUL, _LINE_HEIGHT, PARAMETERS,
            ),
        }  # fmt: skip

    def load(self) -> None:
        """Load the networks."""
        from rapidocr import RapidOCR

        reading = {
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.enable_cpu_mem_arena": True,
            "Global.log_level": "critical",
            "Global.use_preprocess_img": False,
            "Global.use_det": False,
            "Global.use_cls": self._turned_lines,
            "Rec.rec_batch_num": 1,
            # The least width of what is read: as wide as high.
            "Rec.rec_img_shape": [3, _LINE_HEIGHT, _LINE_HEIGHT],
            # Named, so that rapidocr never looks for other ones on the network.
            **{f"{part}.model_path": str(path) for part, path in self._models.items()},
        }
        self._find = LineDetector(self._models["Det"], _DOUBTFUL)
        self._read_line = RapidOCR(params=reading)
        self._read_line(np.zeros((_LINE_HEIGHT, _LINE_HEIGHT, 3), np.uint8))

    def read(self, picture: Pixels) -> list[OcrLine]:
        """The lines in a picture."""
        pixels, shown = bound_aspect(picture)
        # The networks were trained on pictures in OpenCV's order: blue, green, red.
        pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        lines = []
        for quad in find_lines(self._find, pixels, self._side, self._small):
            read = self._read_line(cut_out(pixels, quad))
            for text, score in zip(read.txts or (), read.scores, strict=False):
                lines.append(OcrLine(text, round(float(score), 4), as_fractions(quad, shown)))
        return lines


def cut_out(pixels: Pixels, quad: NDArray[np.float32]) -> Pixels:
    """The line within four corners, made upright; one that is much higher than wide is laid down."""
    import cv2

    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    width, height = max(1, int(max(sides[0], sides[2]))), max(1, int(max(sides[1], sides[3])))
    goal = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, np.float32), goal)
    line = cv2.warpPerspective(
        pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if height >= 1.5 * width:
        line = np.rot90(line)
    return np.ascontiguousarray(line, np.uint8)


def bound_aspect(pixels: Pixels) -> tuple[Pixels, tuple[int, int]]:
    """A very long or very wide picture, padded at its right or bottom to a bearable shape.

    Brought down to the size at which lines are searched for, a strip of 10 x 16000 pixels would come
    to nothing. Other pictures are given back as they are.

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


def find_models() -> dict[str, Path]:
    """The wheel's model files, by rapidocr's name of the part.

    Raises:
        PluginError: rapidocr or one of the files is not there.
    """
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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
