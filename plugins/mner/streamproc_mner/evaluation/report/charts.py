"""Figures of reports, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamproc.html.markup import Attribute, Html, element
from streamproc_mner.evaluation.calibration_error import Bin, Reliability

_BAR: Final = 14
_ROW_GAP: Final = 12
_NAMES: Final = 150
_PLOT: Final = 420
_END: Final = 90
_SQUARE: Final = 240
_MARGIN: Final = 34
_TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LONGEST: Final = 22


def bars(rows: Sequence[tuple[str, Sequence[float]]], series: Sequence[str], unit: str = " %") -> Html:
    """Bars from the left, a group for each row.

    Args:
        rows: a name, and a value for each series.
        series: at most two; named in a legend where there are two.
        unit: `" %"`: values are shares, drawn from 0 to 1 and told in per cent; else they are counts.
    """
    shares = unit == " %"
    most = 1.0 if shares else max((value for _, values in rows for value in values), default=1.0) or 1.0
    step = len(series) * _BAR + _ROW_GAP
    drawn: list[Html] = []
    for place, (name, values) in enumerate(rows):
        top = place * step
        drawn.append(_name(name, top + len(series) * _BAR / 2))
        for index, value in enumerate(values):
            length = _PLOT * value / most
            at = top + index * _BAR
            drawn.append(_rectangle(f"series-{index}", _NAMES, at, length, _BAR - 2))
            told = f"{100 * value:.2f}" if shares else f"{value:g}"
            drawn.append(_text(told, _NAMES + length + 6, at + _BAR / 2 - 1))
    figure = _svg(_NAMES + _PLOT + _END, max(len(rows) * step - _ROW_GAP, 1), "bars", *drawn)
    return element("figure", {}, _legend(series) if len(series) > 1 else None, figure)


def whiskers(rows: Sequence[tuple[str, float, float, float]], zero: bool = False) -> Html:
    """A dot for each value and a line for its interval.

    Args:
        rows: a name, the value, low and high, as shares.
        zero: whether values are differences, and zero is marked.
    """
    low = min([row[2] for row in rows] + ([0.0] if zero else []))
    high = max([row[3] for row in rows] + ([0.0] if zero else []))
    spread = max(high - low, 0.001)
    low, spread = low - 0.05 * spread, 1.1 * spread
    step, bottom = 26, len(rows) * 26

    def across(value: float) -> float:
        return _NAMES + _PLOT * (value - low) / spread

    drawn = [_line("axis", _NAMES, bottom, _NAMES + _PLOT, bottom)]
    if zero:
        drawn.append(_line("zero", across(0.0), 0, across(0.0), bottom))
        drawn.append(_text("0", across(0.0), bottom + 12, "middle"))
    for place, (name, value, start, end) in enumerate(rows):
        middle = place * step + step / 2
        drawn.append(_name(name, middle))
        drawn.append(_line("whisker", across(start), middle, across(end), middle))
        drawn.append(element("circle", {"class": "dot", "cx": across(value), "cy": middle, "r": 4.5}))
        told = f"{100 * value:+.2f}" if zero else f"{100 * value:.2f}"
        drawn.append(_text(told, _NAMES + _PLOT + 10, middle))
    return element("figure", {}, _svg(_NAMES + _PLOT + _END, bottom + 20, "intervals", *drawn))


def reliability_plot(title: str, found: Reliability) -> Html:
    """Accuracy against confidence: bars to the diagonal are calibrated, a dashed box is the gap."""
    drawn = [_rectangle("frame", _MARGIN, 6, _SQUARE, _SQUARE)]
    for tick in _TICKS:
        drawn.append(_text(f"{tick:g}", _MARGIN + _SQUARE * tick, _SQUARE + 20, "middle"))
        drawn.append(_text(f"{tick:g}", _MARGIN - 6, 6 + _SQUARE * (1 - tick), "end"))
    for one in found.bins:
        drawn += _reliability_bar(one)
    drawn.append(_line("diagonal", _MARGIN, 6 + _SQUARE, _MARGIN + _SQUARE, 6))
    drawn.append(_text("confidence", _MARGIN + _SQUARE / 2, _SQUARE + 38, "middle"))
    caption = element(
        "figcaption",
        {},
        title,
        element("br", end=False),
        element("small", {}, f"calibration error {found.error:.3f}; {found.count} predictions"),
    )
    name = f"accuracy by confidence, {title}"
    return element("figure", {}, caption, _svg(_MARGIN + _SQUARE + 12, _SQUARE + 48, name, *drawn))


def _reliability_bar(one: Bin) -> list[Html]:
    left, width = _MARGIN + _SQUARE * one.low + 1, _SQUARE * (one.high - one.low) - 2
    top, sure = (6 + _SQUARE * (1 - share) for share in (one.accuracy, one.confidence))
    told = f"{one.count} above {one.low:.1f}: confidence {one.confidence:.3f}, accuracy {one.accuracy:.3f}"
    bar = _rectangle("series-0", left, top, width, _SQUARE * one.accuracy, told)
    return [bar, _rectangle("gap", left, min(top, sure), width, abs(sure - top))]


def _legend(series: Sequence[str]) -> Html:
    items = [element("li", {}, _swatch(index), name) for index, name in enumerate(series)]
    return element("ul", {"class": "legend"}, *items)


def _swatch(index: int) -> Html:
    return element(
        "svg",
        {"width": 10, "height": 10, "aria-hidden": "true"},
        _rectangle(f"series-{index}", 0, 0, 10, 10),
    )


def _name(name: str, middle: float) -> Html:
    """A row's name on the left; a long one is cut, and whole where it is pointed at."""
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    whole = element("title", {}, name) if short != name else None
    place: dict[str, Attribute] = {"class": "name", "x": _NAMES - 10, "y": middle + 4, "text-anchor": "end"}
    return element("text", place, whole, short)


def _svg(width: float, height: float, label: str, *children: Html) -> Html:
    box: dict[str, Attribute] = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height}
    return element("svg", {**box, "class": "plot", "role": "img", "aria-label": label}, *children)


def _rectangle(css: str, x: float, y: float, width: float, height: float, title: str | None = None) -> Html:
    place: dict[str, Attribute] = {"class": css, "x": x, "y": y, "width": width, "height": height}
    return element("rect", place, element("title", {}, title) if title else None)


def _line(css: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    return element("line", {"class": css, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(content: str, x: float, middle: float, anchor: str = "start") -> Html:
    return element("text", {"x": x, "y": middle + 4, "text-anchor": anchor}, content)
