"""Finding feeds among the installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from pydantic import ValidationError

from streamproc.errors import PluginError, SettingsError
from streamproc.feeds.api import Feed, FeedConfig

FEED_GROUP: Final = "streamproc.feeds"


def feed_names() -> list[str]:
    """Names of the installed feeds; none of them is imported."""
    return sorted(_installed())


def find_feed(name: str) -> type[Feed[Any]]:
    """The feed class behind an entry point.

    Raises:
        SettingsError: there is no feed of this name.
        PluginError: it cannot be imported, or is no feed.
    """
    installed = _installed()
    entry = installed.get(name)
    if entry is None:
        raise SettingsError(f"no feed named {name!r}: {_nearest(name, sorted(installed))}")
    try:
        found = entry.load()
    except Exception as error:
        raise PluginError(f"feed {name!r} ({entry.value}) cannot be imported: {error!r}") from error
    if not (isinstance(found, type) and issubclass(found, Feed)):
        raise PluginError(f"feed {name!r}: expected a class derived from Feed, got {found!r}")
    return found


def open_feed(name: str, options: Mapping[str, Any]) -> Feed[Any]:
    """A feed with its options; nothing is read or connected yet.

    Args:
        name: as in its entry point.
        options: by name; values may be text, as the command line gives them.

    Raises:
        SettingsError: no such feed, an option it does not know, or a value it cannot use.
        PluginError: the feed cannot be imported, or is no feed.
    """
    feed = find_feed(name)
    try:
        return feed(feed.Config(**options))
    except ValidationError as error:
        raise SettingsError(f"feed {name}: {_explain(error, feed.Config)}") from None


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=FEED_GROUP)}


def _explain(error: ValidationError, config: type[FeedConfig]) -> str:
    complaint = error.errors(include_url=False, include_context=False)[0]
    option = ".".join(map(str, complaint["loc"]))
    if complaint["type"] == "extra_forbidden":
        return f"no option {option!r}: {_nearest(option, list(config.model_fields))}"
    if complaint["type"] == "missing":
        return f"option {option!r} is needed: {config.model_fields[option].description or 'give it'}"
    return f"{option}: {complaint['msg']}, got {complaint['input']!r}"


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known) or 'none'}"
