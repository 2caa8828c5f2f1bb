"""TOML that strangers wrote: whatever is wrong with it is a `ValueError`."""

from __future__ import annotations

import tomllib
from typing import Any


def read_toml(text: str) -> dict[str, Any]:
    """What a document says.

    Raises:
        ValueError: it is not TOML, nested too deeply, or holds a number with too many digits.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def read_toml_value(text: str) -> Any:
    """What a single value says, such as `[1, 2]`.

    Raises:
        ValueError: as `read_toml`.
    """
    return read_toml(f"value = {text}")["value"]
