"""Findings as one HTML page that fetches nothing and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamproc.html.frame import END, as_bytes, data_url, opening
from streamproc.html.markup import Html, element, joined
from streamproc_mner.analysis.figure import drawn
from streamproc_mner.analysis.findings import Findings

_STYLE: Final = Path(__file__).parent / "page.css"


def page(findings: Findings) -> bytes:
    """The page of an analysis: its plot, its table, its notes."""
    content = element("section", {}, _plot(findings), _table(findings), _notes(findings))
    top = element("h1", {}, findings.title)
    return as_bytes(joined((opening(findings.title, _STYLE, pictures=True), top, content, END)))


def _plot(findings: Findings) -> Html | None:
    if findings.plot is None:
        return None
    picture = data_url("png", drawn(findings, "png"))
    return element("img", {"alt": f"Plot: {findings.title}", "src": picture}, end=False)


def _table(findings: Findings) -> Html:
    kinds = ["text" if findings.is_text(place) else None for place in range(len(findings.columns))]
    head = [
        element("th", {"class": kind}, name) for name, kind in zip(findings.columns, kinds, strict=True)
    ]
    rows = [
        element("tr", {}, *(element("td", {"class": k}, cell) for cell, k in zip(row, kinds, strict=True)))
        for row in findings.as_text()
    ]
    table = element(
        "table", {}, element("thead", {}, element("tr", {}, *head)), element("tbody", {}, *rows)
    )
    return element("div", {"class": "scrolls"}, table)


def _notes(findings: Findings) -> Html | None:
    if not findings.notes:
        return None
    return element("ul", {}, *(element("li", {}, note) for note in findings.notes))
