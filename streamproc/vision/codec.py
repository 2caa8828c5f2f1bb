"""What a cache keeps ↔ bytes: outcomes of pictures, and where URLs led.

An outcome is a version byte, a letter for its kind, and a body. The body of what people can read is
JSON. The body of arrays is the length of a JSON head (4 bytes, big-endian), the head with each
array's shape and stored length, and the arrays one after the other. No pickle: reading runs no code
of the writer. Where a URL led is JSON throughout: Redis reads the digest in it.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from streamproc.vision.api import Outcome, UrlEntry
from streamproc.vision.failures import Failure
from streamproc.vision.packing import pack, unpack
from streamproc.vision.visuals import Captions, Objects, OcrText, Regions

_VERSION: Final = b"\x02"
_BODY_AT: Final = 2
_HEAD_AT: Final = 6
_ARRAY: Final = b"a"
_REGIONS: Final = b"r"
_LETTERS: Final[dict[type, bytes]] = {
    str: b"t",
    Captions: b"c",
    Objects: b"o",
    OcrText: b"w",
    Failure: b"f",
}
_READABLE: Final[dict[bytes, TypeAdapter[Any]]] = {
    letter: TypeAdapter(kind) for kind, letter in _LETTERS.items()
}
_ENTRY: Final = TypeAdapter(UrlEntry)
_MAX_NUMBERS: Final = 32 * 1024 * 1024
_WORTH_PACKING: Final = 0.9


class _Array(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[Annotated[int, Field(ge=0, le=_MAX_NUMBERS)], ...] = Field(max_length=8)
    stored: int = Field(ge=0)
    packed: bool


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    arrays: tuple[_Array, ...] = Field(max_length=3)


def encode(outcome: Outcome) -> bytes:
    """An outcome as bytes; arrays are packed where that saves a tenth or more.

    Raises:
        ValueError: an array that is not fp16, or text that is no Unicode.
    """
    match outcome:
        case np.ndarray():
            return _VERSION + _ARRAY + _join([outcome])
        case Regions():
            return _VERSION + _REGIONS + _join([outcome.boxes, outcome.scores, outcome.features])
        case _:
            return _VERSION + _LETTERS[type(outcome)] + _json(outcome)


def decode(data: bytes) -> Outcome:
    """The outcome that was encoded; arrays are read-only.

    Raises:
        ValueError: not what `encode` writes: another version, cut short, or damaged.
    """
    letter = data[1:_BODY_AT]
    if data[:1] != _VERSION:
        raise ValueError("not an outcome of this version")
    if letter in _READABLE:
        outcome: Outcome = _READABLE[letter].validate_json(data[_BODY_AT:])
        return outcome
    arrays = _split(data)
    if letter == _ARRAY and len(arrays) == 1:
        return arrays[0]
    if letter == _REGIONS and len(arrays) == 3:
        return Regions(*arrays)
    raise ValueError("an outcome of no known kind")


def encode_entry(entry: UrlEntry) -> bytes:
    """Where a URL led, as bytes.

    Raises:
        ValueError: text that is no Unicode.
    """
    return _json(entry)


def decode_entry(data: bytes) -> UrlEntry:
    """Where a URL led.

    Raises:
        ValueError: not what `encode_entry` writes.
    """
    return _ENTRY.validate_json(data)


def leads_to(entry: bytes) -> str | None:
    """The digest in an encoded entry, without a look at the rest; `None` if it holds none."""
    try:
        known = orjson.loads(entry)
    except ValueError:
        return None
    digest = known.get("digest") if isinstance(known, dict) else None
    return digest if isinstance(digest, str) else None


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"cannot be kept: {error}") from None


def _join(arrays: list[NDArray[Any]]) -> bytes:
    described, stored = [], []
    for array in arrays:
        if array.dtype != np.float16:
            raise ValueError(f"cannot be kept: an array of {array.dtype}, expected float16")
        plain = np.ascontiguousarray(array, "<f2").tobytes()
        small = pack(array)
        packed = len(small) < _WORTH_PACKING * len(plain)
        stored.append(small if packed else plain)
        described.append(_Array(shape=array.shape, stored=len(stored[-1]), packed=packed))
    head = _json({"arrays": [array.model_dump() for array in described]})
    return b"".join((len(head).to_bytes(4, "big"), head, *stored))


def _split(data: bytes) -> list[NDArray[np.float16]]:
    at = _HEAD_AT + int.from_bytes(data[_BODY_AT:_HEAD_AT], "big")
    head = _Head.model_validate_json(data[_HEAD_AT:at])
    arrays = []
    for described in head.arrays:
        arrays.append(_read(data[at : at + described.stored], described))
        at += described.stored
    if at != len(data):
        raise ValueError("more or fewer bytes than the head describes")
    return arrays


def _read(stored: bytes, described: _Array) -> NDArray[np.float16]:
    count = prod(described.shape)
    if count > _MAX_NUMBERS:
        raise ValueError("an array larger than any that is kept")
    if described.packed:
        array = unpack(stored, count)
        array.flags.writeable = False
    elif len(stored) == 2 * count:
        array = np.frombuffer(stored, "<f2")
    else:
        raise ValueError("an array that does not have the size of its shape")
    return array.reshape(described.shape)
