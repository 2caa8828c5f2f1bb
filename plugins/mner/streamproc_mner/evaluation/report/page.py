"""The frame of a report: one self-contained page that runs nothing and fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from streamproc.explain.markup import Html, element, joined

_STYLE: Final = Path(__file__).parent / "page.css"


def page(title: str, lead: Sequence[str], sections: Sequence[Html]) -> bytes:
    """A page, as UTF-8.

    Args:
        title: of the page.
        lead: lines below the title.
        sections: from `section`.
    """
    style = _STYLE.read_text("utf-8")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}, end=False),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}, end=False),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}, end=False),
        element("meta", {"name": "color-scheme", "content": "light dark"}, end=False),
        element("title", {}, title),
        element("style", {}, Html(style)),
    )
    top = element(
        "header",
        {},
        element("h1", {}, element("bdi", {}, title)),
        *(element("p", {}, line) for line in lead),
    )
    body = element("body", {}, element("main", {}, top, *sections))
    document = joined((Html("<!doctype html>\n"), element("html", {"lang": "en"}, head, body), "\n"))
    # A model may name things with what is no text (a lone surrogate): it must not end the report.
    return document.encode("utf-8", "replace")


def section(title: str, *parts: Html | None, note: str | None = None) -> Html:
    """A part of the page with a heading."""
    told = element("p", {"class": "note"}, note) if note else None
    return element("section", {}, element("h2", {}, title), told, *parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> Html:
    """A table.

    Args:
        head: titles of the columns.
        rows: their cells.
        texts: how many columns, from the left, hold text and no numbers.
    """
    titles = [element("th", _column(place, texts), title) for place, title in enumerate(head)]
    lines = [
        element("tr", {}, *(element("td", _column(place, texts), cell) for place, cell in enumerate(row)))
        for row in rows
    ]
    inside = element(
        "table", {}, element("thead", {}, element("tr", {}, *titles)), element("tbody", {}, *lines)
    )
    return element("div", {"class": "wide"}, inside)


def _column(place: int, texts: int) -> dict[str, str | int | float | bool | None]:
    return {"class": "text" if place < texts else None}


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(sha256(content.encode()).digest()).decode()
