"""What the model was shown of a post's pictures, and what was missing and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from streamproc.entities import VisualUse
from streamproc.html.markup import Html, element, joined
from streamproc.vision.visuals import Captions, Modality, Objects, OcrText, Regions, Seen, Value, Visual

_ITEMS_SHOWN: Final = 40
"""Captions, objects or lines of one picture."""


def evidence_table(visuals: Mapping[Modality, Visual], uses: Mapping[str, VisualUse]) -> Html:
    """A row for each modality that the model can use.

    Args:
        visuals: what it was shown.
        uses: what the output says became of each.
    """
    if not visuals:
        return element("p", {"class": "note"}, "This model reads only the text.")
    rows = [
        element(
            "tr",
            {},
            element("th", {"scope": "row"}, modality),
            element("td", {}, _status(uses[modality])),
            element("td", {}, *_told(visual, uses[modality])),
        )
        for modality, visual in visuals.items()
    ]
    return element("table", {"class": "evidence"}, element("tbody", {}, *rows))


def _status(use: VisualUse) -> Html:
    return element("span", {"class": f"status {use.status}"}, use.status)


def _told(visual: Visual, use: VisualUse) -> Iterator[Html]:
    if not isinstance(visual, Seen):
        yield element("span", {"class": "reason"}, use.reason or _PLAIN_REASONS.get(use.status, ""))
        return
    for place, value in enumerate(visual.values, 1):
        which = f"picture {place}: " if len(visual.values) > 1 else ""
        yield element("div", {"dir": "auto"}, element("small", {}, which), _shown(value))


_PLAIN_REASONS: Final = {"absent": "the post has none"}


def _shown(value: Value) -> Html:
    match value:
        case str():
            return _quoted(value)
        case Captions():
            return _items(_quoted(text) for text in value.texts)
        case Objects():
            return _items(_scored(" ".join((*tag.attributes, tag.name)), tag.score) for tag in value.tags)
        case OcrText():
            lines = [_scored(line.text, line.confidence) for line in value.lines]
            return _items(lines) if lines else element("span", {"class": "reason"}, "no writing")
        case Regions():
            return element(
                "span", {}, f"{len(value.boxes)} regions, {value.features.shape[-1]} numbers each"
            )
        case _:
            return element("span", {}, f"{_size(value)} numbers")


def _size(value: Any) -> str:
    return " × ".join(str(side) for side in value.shape)


def _items(items: Any) -> Html:
    shown = list(islice(items, _ITEMS_SHOWN + 1))
    rest = element("li", {}, "…") if len(shown) > _ITEMS_SHOWN else None
    return element("ul", {}, *(element("li", {}, item) for item in shown[:_ITEMS_SHOWN]), rest)


def _quoted(text: str) -> Html:
    return element("bdi", {}, text)


def _scored(text: str, score: float) -> Html:
    return joined((_quoted(text), " ", element("small", {}, f"{score:.2f}")))
