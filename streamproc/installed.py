"""What installed packages bring, by entry-point group and name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from streamproc.errors import PluginError


def installed(group: str) -> dict[str, EntryPoint]:
    """Entry points by name; none of them is imported."""
    return {entry.name: entry for entry in entry_points(group=group)}


def load_entry(group: str, name: str, what: str) -> Any:
    """What an entry point names, or what `module:Class` names without one.

    Args:
        group: of the entry points.
        name: of the entry point, or `module:Class`.
        what: it should be, for messages: `plugin`.

    Raises:
        PluginError: not installed (names the nearest one), or cannot be imported.
    """
    known = installed(group)
    entry = EntryPoint(name, name, group) if ":" in name else known.get(name)
    if entry is None:
        close = get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {close[0]}?" if close else f"installed are {', '.join(sorted(known)) or 'none'}"
        )
        raise PluginError(f"no {what} named {name!r}: {hint}")
    try:
        return entry.load()
    except Exception as error:
        where = entry.value if entry.value == name else f"{name!r} ({entry.value})"
        hint = ": is its folder on PYTHONPATH?" if ":" in name else ""
        raise PluginError(f"{what} {where} cannot be imported: {error!r}{hint}") from error
