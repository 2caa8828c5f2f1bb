"""Keys that an object of JSON holds twice: a parser keeps the last of them without a word."""

from __future__ import annotations

import json
from typing import Any, Final

_SHOWN: Final = 40


def repeated_key(text: str | bytes) -> str | None:
    """What to say of a key that stands twice in one object, at any depth; `None` where none does.

    Args:
        text: JSON. What is none is left to its own parser.
    """
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            repeated.append(next(key for place, key in enumerate(keys) if key in keys[:place]))

    try:
        # Numbers stay text: they are not looked at, and may be longer than Python turns into integers.
        json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return f"the key {repeated[0][:_SHOWN]!r} stands twice in one object: keep one" if repeated else None
