"""Pickles of numpy arrays, read without numpy's own constructors and without anybody's code.

A pickle names functions and calls them. This reader knows the few names that arrays are pickled under,
and gives each an inert stand-in of its own: numpy sees nothing of the file but the bytes of numbers.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import IO, Any, Final

import numpy as np
import torch

_NUMBERS: Final = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1"}
_BYTE_ORDERS: Final = {"<", "=", "|"}


class _DType:
    """A type of numbers, as `numpy.dtype` pickles it."""

    def __init__(self, name: object, *_: object) -> None:
        if name not in _NUMBERS:
            raise pickle.UnpicklingError(f"an array of {name!r}, expected numbers")
        self.name = str(name)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] not in _BYTE_ORDERS:
            raise pickle.UnpicklingError(f"numbers in the byte order {state[1]!r}")


class _Array:
    """An array, as `numpy.ndarray` pickles it."""

    value: torch.Tensor | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, numbers = state
        self.value = _tensor(numbers, dtype, shape, "F" if by_columns else "C")


def load_arrays(file: IO[bytes]) -> Any:
    """What a pickle of tables of arrays holds; arrays as tensors.

    Raises:
        pickle.UnpicklingError: it names anything that is not needed for that.
        ValueError: its arrays are not what they say.
    """
    return _as_tensors(_ArrayUnpickler(file, encoding="latin1").load())


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known


def _reconstruct(*_: object) -> _Array:
    """In place of numpy's: an array whose numbers come next."""
    return _Array()


def _from_buffer(numbers: Any, dtype: object, shape: Any, order: object) -> torch.Tensor:
    """In place of numpy's: an array of protocol 5."""
    return _tensor(numbers, dtype, shape, "F" if order == "F" else "C")


def _encode(text: str, encoding: str) -> bytes:
    """In place of `codecs.encode`, which protocol 2 writes bytes with."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes written as {encoding!r}")
    return text.encode("latin1")


def _tensor(numbers: Any, dtype: object, shape: Any, order: Any) -> torch.Tensor:
    if isinstance(numbers, str):  # Python 2's bytes
        numbers = numbers.encode("latin1")
    if not isinstance(dtype, _DType) or not isinstance(numbers, bytes | bytearray):
        raise pickle.UnpicklingError("an array whose numbers are not there")
    found = np.frombuffer(numbers, "<" + dtype.name).reshape(shape, order=order)
    return torch.tensor(np.ascontiguousarray(found))


def _as_tensors(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_tensors(inner) for key, inner in value.items()}
    return value.value if isinstance(value, _Array) else value


_KNOWN: Final[dict[tuple[str, str], Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
