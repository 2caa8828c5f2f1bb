"""Visual values ↔ the tensors of a Triton model. Both sides of the wire read this page.

| modality   | outputs                                                                         |
|------------|---------------------------------------------------------------------------------|
| `grid`     | `grid` FP16 (49, D)                                                             |
| `global`   | `global` FP16 (D,)                                                              |
| `regions`  | `boxes` FP16 (n, 4), `scores` FP16 (n,), `features` FP16 (n, D)                 |
| `captions` | `captions` UINT8 (n,): JSON `{"texts": [...], "scores": [...]}`                 |
| `objects`  | `objects` UINT8 (n,): JSON `{"tags": [{"name", "score", "attributes", "box"}]}` |
| `ocr`      | `ocr` UINT8 (n,): JSON `{"lines": [{"text", "confidence", "box"}]}`             |

Every model has one input, `picture` UINT8 (n,), the bytes of a JPEG as the sandbox writes it, and one
further output, `version` UINT8 (n,). A picture of no bytes asks for the version alone: there are no
other outputs then, and nothing is looked at.

Text is UINT8 and not BYTES: Python backends from before numpy 2 give BYTES wrongly beside numpy 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter

from streamproc.vision.checks import check_value
from streamproc.vision.visuals import Captions, Modality, Objects, OcrText, Regions, Value

PICTURE: Final = "picture"
VERSION: Final = "version"

_JSON: Final[dict[Modality, TypeAdapter[Any]]] = {
    "captions": TypeAdapter(Captions),
    "objects": TypeAdapter(Objects),
    "ocr": TypeAdapter(OcrText),
}
_OUTPUTS: Final[dict[Modality, tuple[str, ...]]] = {
    "grid": ("grid",),
    "global": ("global",),
    "regions": ("boxes", "scores", "features"),
    "captions": ("captions",),
    "objects": ("objects",),
    "ocr": ("ocr",),
}


def outputs_of(modality: Modality) -> tuple[str, ...]:
    """Names of the output tensors, without `version`."""
    return _OUTPUTS[modality]


def as_bytes(text: bytes) -> NDArray[np.uint8]:
    """Text as a tensor UINT8 (n,)."""
    return np.frombuffer(text, np.uint8)


def to_tensors(modality: Modality, value: Value) -> dict[str, NDArray[Any]]:
    """A value as tensors, by output name."""
    if isinstance(value, Regions):
        return {"boxes": value.boxes, "scores": value.scores, "features": value.features}
    if isinstance(value, np.ndarray):
        return {modality: value}
    return {modality: as_bytes(orjson.dumps(value))}


def from_tensors(
    modality: Modality, tensors: Mapping[str, NDArray[Any]], *, width: int | None = None
) -> Value:
    """The value that a server's tensors stand for, checked.

    Args:
        modality: what was asked for.
        tensors: by output name, without a batch dimension.
        width: D of its vectors, where it is known.

    Raises:
        ValueError: a tensor is missing, or not of the shape, type or range of the page above.
    """
    missing = [name for name in _OUTPUTS[modality] if name not in tensors]
    if missing:
        raise ValueError(f"no output named {missing[0]!r}")
    value: Value
    if modality in _JSON:
        try:
            value = _JSON[modality].validate_json(tensors[modality].tobytes())
        except ValueError:
            raise ValueError(f"{modality} that are not the JSON that was expected") from None
    elif modality == "regions":
        value = Regions(*(tensors[name] for name in _OUTPUTS["regions"]))
    else:
        value = tensors[modality]
    check_value(modality, value, width=width)
    return value
