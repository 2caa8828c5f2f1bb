"""The frame of a page: one file that fetches nothing, and lets run only its own style and script."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path
from typing import Final

from streamproc.html.markup import Html, element, joined

END: Final = Html("</main></body></html>\n")

_BASE: Final = Path(__file__).parent / "base.css"


def opening(title: str, style: Path, *, pictures: bool = False, script: str | None = None) -> Html:
    """A page up to where its content begins; `END` comes after that.

    Args:
        title: of the page.
        style: the page's own CSS, which comes after the colours and the text of base.css.
        pictures: whether it may show pictures that are written into it; see `data_url`.
        script: the only one that it may run.
    """
    written = _BASE.read_text("utf-8") + style.read_text("utf-8")
    policy = (
        "default-src 'none'",
        *(("img-src data:",) if pictures else ()),
        f"style-src '{_hash(written)}'",
        *((f"script-src '{_hash(script)}'",) if script is not None else ()),
        "base-uri 'none'",
        "form-action 'none'",
    )
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}, end=False),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": "; ".join(policy)}, end=False),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}, end=False),
        element("title", {}, title),
        element("style", {}, Html(written)),
    )
    return joined((Html('<!doctype html>\n<html lang="en">'), head, Html("<body><main>")))


def as_bytes(page: Html) -> bytes:
    """A page, or a piece of one, as it is written."""
    # A model may name things with what is no text (a lone surrogate): it must not end the run.
    return page.encode("utf-8", "replace")


def data_url(kind: str, content: bytes) -> str:
    """A picture as an address that needs no fetching.

    Args:
        kind: `png` or `jpeg`.
        content: of its file.
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(sha256(content.encode()).digest()).decode()
