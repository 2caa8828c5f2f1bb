"""The curve of cost against characters, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import matplotlib

from benchmarks.ocr.measure import SHARES, Curve

_SIDES: Final = {"rapidocr": "  and detection side ", "ours": "ours, detection side "}
_COLOURS: Final = {"rapidocr": "#3355aa", "ours": "#0b6e4f"}
_DEFAULT: Final = ("ours, the default", "640")
_MARKERS: Final = "svD^P*X"


def plot(curves: Sequence[Curve], path: Path) -> None:
    """Write a file, of the kind that its name says: speed to the right, characters read upwards.

    The sizes of the picture in which lines are searched for are joined to one curve each for the
    library and for ours; other ways of reading are marks of their own.
    """
    matplotlib.use("agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "streamproc"}
    from matplotlib import pyplot

    share = SHARES[-1]
    figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    others = list(curves)
    for who, prefix in _SIDES.items():
        joined = [(c, c.name.removeprefix(prefix)) for c in curves if c.name.startswith(prefix)]
        if who == "ours":
            joined += [(c, _DEFAULT[1]) for c in curves if c.name == _DEFAULT[0]]
        joined.sort(key=lambda pair: int(pair[1]))
        points = [(curve.rate(share), curve.mean_recall) for curve, _ in joined]
        axes.plot(*zip(*points, strict=True), "o-", color=_COLOURS[who], label=f"{who}, detection side")
        for (_, side), point in zip(joined, points, strict=True):
            axes.annotate(side, point, (0, 7), textcoords="offset points", rotation=60, color=_COLOURS[who])
        others = [curve for curve in others if curve not in [chosen for chosen, _ in joined]]
    for curve, marker in zip(others, cycle(_MARKERS), strict=False):
        name = curve.name.strip().removeprefix("and ")
        axes.plot(curve.rate(share), curve.mean_recall, marker, color="#8a5a00", label=name)
    axes.set_xlim(left=0)
    axes.set_ylim(top=1.03)
    axes.set_xlabel(f"pictures a second, {share:.0%} of them with writing")
    axes.set_ylabel("characters read, mean scene")
    axes.set_title("Reading scenes (upper right is better)", loc="left")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
