"""One attention or gate of a model as a figure.

Over words and pictures the page's script draws the word that is pointed at, and the mean over the
entities' words before; over modalities and gates each word has its own bars, drawn here, in the
manner of moon2018 figure 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from streamproc.explain.pictures import BLANK_SIDE, Pictures, looked_at
from streamproc.explain.words import WORDS_SHOWN, Word
from streamproc.fusion.api import Weights
from streamproc.html.markup import Html, element, joined
from streamproc.vision.visuals import Modality, Thumbnail, Visual

COLUMN_COLOURS: Final = 8
_UNIT: Final = 10_000
"""Weights go into the page as whole numbers of this part."""
_BARS_HEIGHT: Final = 40
_HEAT_SIDE: Final = 56
_SHOWS: Final[Mapping[str, str]] = {
    "tokens": "over the words of the post",
    "cells": "over the 7 × 7 cells of the picture",
    "regions": "over the regions of the picture",
    "modalities": "what each word was read from; the parts of a bar sum to 1",
    "gates": "from 0, shut, to 1, open",
}


def figure(
    name: str,
    weights: Weights,
    words: Sequence[Word],
    visuals: Mapping[Modality, Visual],
    pictures: Pictures,
    alt: str,
) -> Html:
    """A figure without its numbers, which `figure_data` gives.

    Args:
        name: of the attention or gate.
        weights: a row for each word.
        words: of the model.
        visuals: what the model was shown.
        pictures: draws the picture that the weights lie over.
        alt: what the picture is called where it cannot be seen.
    """
    draw: dict[str, Callable[[], Html]] = {
        "tokens": lambda: _text(words),
        "cells": lambda: _cells(pictures, visuals, alt),
        "regions": lambda: _regions(weights, pictures, visuals, alt),
        "modalities": lambda: _strip(weights, words, _stack),
        "gates": lambda: _strip(weights, words, _side_by_side),
    }
    caption = element(
        "figcaption", {}, element("strong", {}, name), " ", element("small", {}, _SHOWS[weights.over])
    )
    return element(
        "figure",
        {"class": f"weights over-{weights.over}"},
        caption,
        draw[weights.over](),
        element("p", {"class": "readout"}),
    )


def figure_data(weights: Weights, words: Sequence[Word]) -> dict[str, Any]:
    """The numbers of a figure: a row for each word, and the mean over the entities' words."""
    width = len(weights.rows[0]) if weights.rows else 0
    rows = np.array(weights.rows, dtype=float).reshape(len(words), width)
    inside = [index for index, word in enumerate(words) if word.entity is not None]
    mean = (rows[inside] if inside else rows).mean(axis=0) if len(words) else rows.sum(axis=0)
    if weights.over == "tokens":
        rows, mean = rows[:, :WORDS_SHOWN], mean[:WORDS_SHOWN]
    return {"over": weights.over, "rows": _whole(rows[:WORDS_SHOWN]), "mean": _whole(mean)}


def _whole(values: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    return (values.clip(0, 1) * _UNIT).round().astype(int).tolist()


def _text(words: Sequence[Word]) -> Html:
    shown = (
        element("span", {"class": "read", "data-word": index}, word.text)
        for index, word in enumerate(words[:WORDS_SHOWN])
    )
    return element("p", {"class": "line", "dir": "auto"}, joined(part for s in shown for part in (s, " ")))


def _cells(pictures: Pictures, visuals: Mapping[Modality, Visual], alt: str) -> Html:
    heat = element("canvas", {"class": "heat", "width": _HEAT_SIDE, "height": _HEAT_SIDE})
    thumbnail = looked_at(visuals, "grid")
    return _look(thumbnail, pictures.draw(thumbnail, alt), heat)


def _regions(weights: Weights, pictures: Pictures, visuals: Mapping[Modality, Visual], alt: str) -> Html:
    thumbnail = looked_at(visuals, "regions")
    width, height = (thumbnail.width, thumbnail.height) if thumbnail else (BLANK_SIDE, BLANK_SIDE)
    size = max(width, height) * 0.045
    boxes = []
    for left, top, right, bottom in weights.boxes:
        x, y = left * width, top * height
        sides = {"width": max(0.0, right - left) * width, "height": max(0.0, bottom - top) * height}
        rect = element("rect", {"x": x, "y": y, **sides})
        label = element("text", {"x": x + size / 3, "y": y + size, "font-size": size})
        boxes.append(element("g", {"class": "region"}, rect, label))
    return _look(thumbnail, pictures.draw(thumbnail, alt, *boxes))


def _look(thumbnail: Thumbnail | None, *layers: Html) -> Html:
    missing = element("p", {"class": "readout"}, "The picture itself is not at hand.")
    look = element("div", {"class": "look"}, *layers)
    return look if thumbnail else joined((look, missing))


def _strip(weights: Weights, words: Sequence[Word], bars: Callable[[Sequence[float]], Html]) -> Html:
    """The words in a row, each below its bars, and what the colours mean."""
    columns = [
        element(
            "span",
            {"class": "column", "data-word": index},
            element(
                "svg",
                {"viewBox": f"0 0 10 {_BARS_HEIGHT}", "preserveAspectRatio": "none", "aria-hidden": "true"},
                bars(row),
            ),
            element("span", {"class": "label in" if word.entity else "label"}, word.text),
        )
        for index, (word, row) in enumerate(zip(words[:WORDS_SHOWN], weights.rows, strict=False))
    ]
    legend = [
        element(
            "li",
            {},
            element("span", {"class": f"swatch column-{place % COLUMN_COLOURS}"}),
            element("bdi", {}, column),
            " ",
            element("span", {"class": "value"}),
        )
        for place, column in enumerate(weights.columns)
    ]
    return joined(
        (
            element("p", {"class": "strip", "dir": "auto"}, *columns),
            element("svg", {"class": "total", "viewBox": "0 0 100 6", "preserveAspectRatio": "none",
                            "aria-hidden": "true"}, *_total(weights)),
            element("ul", {"class": "legend"}, *legend),
        )
    )  # fmt: skip


def _total(weights: Weights) -> list[Html]:
    """The bar over the legend, which shows the word that is pointed at."""
    return [
        element("rect", {"class": f"column-{place % COLUMN_COLOURS}", "height": 6})
        for place in range(len(weights.columns))
        if weights.over == "modalities"
    ]


def _stack(row: Sequence[float]) -> Html:
    """One bar in parts, the first at the bottom."""
    parts, filled = [], 0.0
    for place, value in enumerate(row):
        height = max(0.0, value) * _BARS_HEIGHT
        filled += height
        parts.append(_bar(place, 0, _BARS_HEIGHT - filled, 10, height))
    return joined(parts)


def _side_by_side(row: Sequence[float]) -> Html:
    """A bar for each gate, in the frame that it would fill when open."""
    parts = []
    width = 10 / max(1, len(row))
    for place, value in enumerate(row):
        height = min(1.0, max(0.0, value)) * _BARS_HEIGHT
        left, thick = place * width + width * 0.1, width * 0.8
        parts.append(
            element("rect", {"class": "frame", "x": left, "y": 0, "width": thick, "height": _BARS_HEIGHT})
        )
        parts.append(_bar(place, left, _BARS_HEIGHT - height, thick, height))
    return joined(parts)


def _bar(place: int, left: float, top: float, width: float, height: float) -> Html:
    return element(
        "rect",
        {
            "class": f"column-{place % COLUMN_COLOURS}",
            "x": float(left),
            "y": float(top),
            "width": float(width),
            "height": float(height),
        },
    )
