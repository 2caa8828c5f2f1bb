"""Ways of reading pictures that are compared: rapidocr as it comes, turned this way and that, and ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shutil import which
from typing import Any, Final, TypeAlias

import numpy as np

from streamproc.vision.engine import Pixels
from streamproc.vision.ocr import OcrConfig, OcrEngine

Read: TypeAlias = Callable[[Pixels], list[str]]
"""Gives the lines in a picture; called from as many threads as the variant says."""

CORES: Final = len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of reading. `at_once`: pictures that are read at the same time; all use the same cores."""

    name: str
    open: Callable[[], Read]
    at_once: int


def _rapidocr(**parameters: Any) -> Callable[[], Read]:
    """The library by itself; parameters have `__` for its dots."""

    def open_() -> Read:
        from rapidocr import RapidOCR

        named = {key.replace("__", "."): value for key, value in parameters.items()}
        engine = RapidOCR(params={"Global.log_level": "critical"} | named)
        return lambda pixels: list(engine(np.ascontiguousarray(pixels[:, :, ::-1])).txts or ())

    return open_


def _ours(config: Mapping[str, Any]) -> Callable[[], Read]:
    def open_() -> Read:
        engine = OcrEngine(OcrConfig(**config))
        engine.load()
        return lambda pixels: [line.text for line in engine.look([pixels])[0].lines]  # type: ignore[union-attr]

    return open_


def _one_core(**parameters: Any) -> Callable[[], Read]:
    return _rapidocr(EngineConfig__onnxruntime__intra_op_num_threads=1, **parameters)


def _at_most(side: int) -> Callable[[], Read]:
    return _one_core(Global__use_cls=False, Det__limit_type="max", Det__limit_side_len=side)


_SIDES: Final = (1280, 960, 736, 640, 480)
LIBRARY: Final = Variant("rapidocr as it comes", _rapidocr(), 1)
CHOSEN: Final = Variant("ours, the default", _ours({}), CORES)
A_CORE_A_PICTURE: Final = Variant("rapidocr, a core a picture", _one_core(), CORES)
OTHERS: Final = (
    Variant("  and no orientation classifier", _one_core(Global__use_cls=False), CORES),
    *(Variant(f"  and detection side {side}", _at_most(side), CORES) for side in _SIDES),
    *(Variant(f"ours, detection side {s}", _ours({"detection_side": s}), CORES) for s in (960, 736, 480)),
    Variant("ours, no second look", _ours({"small_writing": 0}), CORES),
    Variant("ours, turned lines too", _ours({"turned_lines": True}), CORES),
    *((Variant("tesseract", _ours({"engine": "tesseract"}), CORES),) if which("tesseract") else ()),
)
