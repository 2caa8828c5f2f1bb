"""Visual values ↔ bytes that a shared cache can keep.

A value is one version byte, the length of a JSON head (4 bytes, big-endian), the head, and the
arrays one after the other. The head holds the kind, the structured value as JSON, and each
array's dtype, shape and stored length. No pickle: reading a value runs no code of its writer.
"""

from __future__ import annotations

import zlib
from math import prod
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from streamproc.vision.visuals import Captions, Objects, OcrText, Regions, Value

_VERSION: Final = 1
_HEAD_AT: Final = 5
_STRUCTURED: Final[dict[str, TypeAdapter[Any]]] = {
    "text": TypeAdapter(str),
    "captions": TypeAdapter(Captions),
    "objects": TypeAdapter(Objects),
    "ocr": TypeAdapter(OcrText),
}
_KIND: Final[dict[type, str]] = {str: "text", Captions: "captions", Objects: "objects", OcrText: "ocr"}
_MAX_ARRAY_BYTES: Final = 64 * 1024 * 1024
_WORTH_PACKING: Final = 0.9
_FAST: Final = 1


class _Array(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Literal["<f2", "<f4", "|u1"]
    shape: tuple[int, ...] = Field(max_length=8)
    stored: int = Field(ge=0)
    packed: bool


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text", "captions", "objects", "ocr", "regions", "array"]
    value: Any = None
    arrays: tuple[_Array, ...] = ()


def encode(value: Value) -> bytes:
    """A value as bytes; arrays are packed where that saves a tenth or more.

    Raises:
        ValueError: an array of a dtype that is not kept (fp16, fp32 and uint8 are).
    """
    match value:
        case np.ndarray():
            return _join("array", None, [value])
        case Regions():
            return _join("regions", None, [value.boxes, value.scores, value.features])
        case _:
            return _join(_KIND[type(value)], value, [])


def decode(data: bytes) -> Value:
    """The value that was encoded; arrays are read-only.

    Raises:
        ValueError: not what `encode` writes: another version, cut short, or damaged.
    """
    if len(data) < _HEAD_AT or data[0] != _VERSION:
        raise ValueError("not a value of this version")
    arrays_at = _HEAD_AT + int.from_bytes(data[1:_HEAD_AT], "big")
    head = _Head.model_validate_json(data[_HEAD_AT:arrays_at])
    arrays: list[NDArray[Any]] = []
    for described in head.arrays:
        arrays.append(_unpack(data[arrays_at : arrays_at + described.stored], described))
        arrays_at += described.stored
    if arrays_at != len(data):
        raise ValueError("more or fewer bytes than the head describes")
    return _build(head, arrays)


def weight(value: Value) -> int:
    """About how many bytes of memory a value takes."""
    match value:
        case np.ndarray():
            return value.nbytes
        case Regions():
            return value.boxes.nbytes + value.scores.nbytes + value.features.nbytes
        case _:
            return len(encode(value))


def _join(kind: str, value: Any, arrays: list[NDArray[Any]]) -> bytes:
    described, stored = [], []
    for array in arrays:
        raw = np.ascontiguousarray(array).tobytes()
        small = zlib.compress(raw, _FAST)
        packed = len(small) < _WORTH_PACKING * len(raw)
        stored.append(small if packed else raw)
        described.append(
            _Array(dtype=array.dtype.str, shape=array.shape, stored=len(stored[-1]), packed=packed)  # type: ignore[arg-type]
        )
    head = orjson.dumps({"kind": kind, "value": value, "arrays": [a.model_dump() for a in described]})
    return b"".join((bytes([_VERSION]), len(head).to_bytes(4, "big"), head, *stored))


def _unpack(stored: bytes, described: _Array) -> NDArray[Any]:
    dtype = np.dtype(described.dtype)
    if min(described.shape, default=0) < 0:
        raise ValueError("an array with a negative side")
    size = prod(described.shape) * dtype.itemsize
    if size > _MAX_ARRAY_BYTES:
        raise ValueError("an array larger than any that is kept")
    if described.packed:
        try:
            stored = zlib.decompressobj().decompress(stored, size + 1)
        except zlib.error as error:
            raise ValueError(f"a damaged array: {error}") from None
    if len(stored) != size:
        raise ValueError("an array that does not have the size of its shape")
    return np.frombuffer(stored, dtype).reshape(described.shape)


def _build(head: _Head, arrays: list[NDArray[Any]]) -> Value:
    if head.kind == "array":
        (array,) = arrays
        return array
    if head.kind == "regions":
        boxes, scores, features = arrays
        return Regions(boxes, scores, features)
    value: Value = _STRUCTURED[head.kind].validate_python(head.value)
    return value
