"""Arithmetic of boxes in plain Python, as an oracle."""

from __future__ import annotations

from collections.abc import Sequence


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)
