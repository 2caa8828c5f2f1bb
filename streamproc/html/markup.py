"""HTML that cannot be broken out of: whatever is no `Html` yet is escaped on its way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TypeAlias

import orjson

Attribute: TypeAlias = str | int | float | bool | None


class Html(str):
    """Markup of our own. Text of strangers becomes part of one only through `element`."""

    __slots__ = ()


def element(
    name: str, attributes: Mapping[str, Attribute] | None = None, *children: str | None, end: bool = True
) -> Html:
    """An element.

    Args:
        name: its tag.
        attributes: `None` and `False` leave one out, `True` names it without a value.
        children: `Html` goes in as it is, every other text escaped; `None` is nothing.
        end: whether it is closed; `meta` and the like are not.
    """
    written = "".join(_attribute(key, value) for key, value in (attributes or {}).items())
    inner = "".join(_inner(child) for child in children if child is not None)
    return Html(f"<{name}{written}>{inner}" + (f"</{name}>" if end else ""))


def joined(parts: Iterable[str]) -> Html:
    """Several pieces, one after the other."""
    return Html("".join(_inner(part) for part in parts))


def data_block(name: str, value: object) -> Html:
    """Data for the page's own script, as JSON that no text in it can end early.

    Args:
        name: its class, by which the script finds it.
        value: what orjson can write.
    """
    written = orjson.dumps(value).decode()
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" class="{escape(name)}">{written}</script>')


def _inner(child: str) -> str:
    return child if isinstance(child, Html) else escape(child)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {key}"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f' {key}="{escape(text)}"'
