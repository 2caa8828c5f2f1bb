"""Findings as one HTML page that fetches nothing and runs nothing."""

from __future__ import annotations

import base64
from hashlib import sha256
from importlib.resources import files

from streamproc.explain.markup import Html, element, joined
from streamproc_mner.analysis.figure import drawn
from streamproc_mner.analysis.findings import Findings


def page(findings: Findings) -> bytes:
    """The page of an analysis: its plot, its table, its notes."""
    style = files(__package__).joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    sources = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    policy = f"{sources}; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}, end=False),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}, end=False),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}, end=False),
        element("title", {}, findings.title),
        element("style", {}, Html(style)),
    )
    content = element("section", {}, _plot(findings), _table(findings), _notes(findings))
    main = element("main", {}, element("h1", {}, findings.title), content)
    document = element("html", {"lang": "en"}, head, element("body", {}, main))
    # A model may name things with what is no text (a lone surrogate): it must not end the run.
    return joined((Html("<!doctype html>\n"), document)).encode("utf-8", "replace")


def _plot(findings: Findings) -> Html | None:
    if findings.plot is None:
        return None
    picture = base64.b64encode(drawn(findings, "png")).decode()
    return element(
        "img", {"alt": f"Plot: {findings.title}", "src": f"data:image/png;base64,{picture}"}, end=False
    )


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
