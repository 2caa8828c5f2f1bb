"""Reading strangers' checkpoints without running their code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from streamproc.errors import InputError
from streamproc_vision.converting.array_pickle import load_arrays

_WRAPPERS: Final = ("model", "state_dict")


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by name.

    Args:
        file: of torch (`.pth`, `.bin`), or a pickle of numpy arrays (`.pkl`).

    Raises:
        InputError: it cannot be read, asks for code to be run, or holds something else.
    """
    try:
        found = _load_pickled_arrays(file) if file.suffix == ".pkl" else _load_torch(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = (
        {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
        if isinstance(found, Mapping)
        else {}
    )
    if not tensors:
        raise InputError(f"{file}: expected weights by name, got a {type(found).__name__} without any")
    return tensors


def _load_torch(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  of many types, a pickle that asks for more among them
        why = str(error).strip().partition("\n")[0][:200]
        raise InputError(
            f"{file}: not a checkpoint of weights alone, which is all that is read: {why}"
        ) from None


def _load_pickled_arrays(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            return load_arrays(stream)
    except OSError:
        raise
    except (pickle.UnpicklingError, ValueError, EOFError, TypeError, AttributeError, LookupError) as error:
        raise InputError(
            f"{file}: not a pickle of numpy arrays alone, which is all that is read: {str(error)[:200]}"
        ) from None
