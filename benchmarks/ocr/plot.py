"""The curve of cost against characters, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from benchmarks.ocr.measure import SHARES, Curve

_WIDTH: Final = 860
_HEIGHT: Final = 420
_LEFT: Final = 60
_RIGHT: Final = 190
_TOP: Final = 40
_BOTTOM: Final = 50
_COLOURS: Final = {"ours": "#0b6e4f", "tesseract": "#8a5a00"}
_OTHER: Final = "#3355aa"


def plot(curves: Sequence[Curve]) -> str:
    """Pictures a second to the right, the mean picture's recall (scenes) upwards."""
    share = SHARES[-1]
    fastest = max(curve.rate(share) for curve in curves) * 1.05
    lowest = min(curve.mean_recall for curve in curves) - 0.03

    def x(rate: float) -> float:
        return _LEFT + rate / fastest * (_WIDTH - _LEFT - _RIGHT)

    def y(recall: float) -> float:
        return _HEIGHT - _BOTTOM - (recall - lowest) / (1 - lowest) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 20, "Reading scenes: speed and characters read (upper right is better)", size=14),
        _text(_LEFT, _HEIGHT - 12, f"pictures a second, {share:.0%} of them with writing"),
        _text(8, _TOP - 4, "recall"),
    ]
    for step in range(int(fastest) + 1):
        parts.append(_line(x(step), y(lowest), x(step), y(1)))
        parts.append(_text(x(step) - 3, y(lowest) + 16, str(step)))
    for step in range(int(lowest * 20) + 1, 21):
        parts.append(_line(x(0), y(step / 20), x(fastest), y(step / 20)))
        parts.append(_text(_LEFT - 36, y(step / 20) + 4, f"{step / 20:.2f}"))
    for curve, level in _spread(curves, y):
        colour = next((c for name, c in _COLOURS.items() if curve.name.startswith(name)), _OTHER)
        at = x(curve.rate(share)), y(curve.mean_recall)
        parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4" fill="{colour}"/>')
        parts.append(_text(at[0] + 7, level, curve.name.strip().removeprefix("and "), colour=colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _spread(curves: Sequence[Curve], y: Callable[[float], float]) -> list[tuple[Curve, float]]:
    """Each curve with the height of its name: names do not lie on each other."""
    placed: list[tuple[Curve, float]] = []
    level = 0.0
    for curve in sorted(curves, key=lambda curve: -curve.mean_recall):
        level = max(level + 14, y(curve.mean_recall) + 4)
        placed.append((curve, level))
    return placed


def _text(x: float, y: float, text: str, *, size: int = 12, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
