"""A report as one page that runs nothing and fetches nothing: its sections and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streamproc.html.frame import END, as_bytes, opening
from streamproc.html.markup import Html, element, joined

_STYLE: Final = Path(__file__).parent / "page.css"


def page(title: str, lead: Sequence[str], sections: Sequence[Html]) -> bytes:
    """A page, as UTF-8.

    Args:
        title: of the page.
        lead: lines below the title.
        sections: from `section`.
    """
    top = element(
        "header",
        {},
        element("h1", {}, element("bdi", {}, title)),
        *(element("p", {}, line) for line in lead),
    )
    return as_bytes(joined((opening(title, _STYLE), top, *sections, END)))


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
