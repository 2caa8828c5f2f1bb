"""The comparison with the peers as tables in markdown, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import Measured
from benchmarks.stream import OURS


def markdown(found: Mapping[str, Any]) -> str:
    """Tables of what was measured: the workers, the ratios, the bad posts.

    Args:
        found: what `make bench --json` writes.
    """
    parts = []
    if found.get("measured"):
        parts.append(_workers({n: [Measured(**m) for m in all_] for n, all_ in found["measured"].items()}))
    if found.get("ratios"):
        parts.append(_ratios(found["ratios"]))
    if found.get("bad_posts"):
        parts.append(_bad_posts(found["bad_posts"]))
    parts.append("; ".join(f"{name} {value}" for name, value in found["machine"].items()))
    if found.get("peers"):
        parts.append("peers: " + "; ".join(f"{name} {value}" for name, value in found["peers"].items()))
    return "\n\n".join(parts) + "\n"


def spread(figures: Sequence[float], digits: int = 0) -> str:
    """The median, and the least and the greatest: `12 (10–15)`."""
    told = [f"{figure:,.{digits}f}" for figure in (median(figures), min(figures), max(figures))]
    return f"{told[0]} ({told[1]}–{told[2]})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _workers(measured: Mapping[str, Sequence[Measured]]) -> str:
    rows = [
        [name, spread([m.rate for m in all_]), spread([m.cpu_us for m in all_], 1)]
        for name, all_ in measured.items()
    ]
    return _table(["worker", "posts/s", "CPU µs a post"], rows)


def _ratios(ratios: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            r["what"],
            spread(r["rounds"], 3),
            r["goal"],
            "" if r["goal"] == "-" else "met" if r["met"] else "missed",
        ]
        for r in ratios
    ]
    return _table(["", "median (least–greatest)", "goal", ""], rows)


def _bad_posts(found: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in found:
        fate = "goes on" if one["ended"] is None else f"ends: `{one['words'][:90]}`"
        rows.append(
            [
                one["name"],
                f"{one['delivered']:,} of {one['good']:,}",
                f"{one['dead']} of {one['bad']}",
                fate,
            ]
        )
    return _table(["worker", "good posts delivered", "bad posts kept", "and then"], rows)


def draw(found: Mapping[str, Any], file: Path) -> None:
    """CPU a post of each worker beside the peers, a bar for the median and a line for the spread.

    Args:
        found: what `make bench --json` writes.
        file: ends in .svg or .png.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    measured = {n: [Measured(**m).cpu_us for m in all_] for n, all_ in found["measured"].items()}
    names = [name for name in measured if name == OURS or f"CPU a post, ours ÷ {name}" in _whats(found)]
    middles = [median(measured[name]) for name in names]
    below = [m - min(measured[name]) for m, name in zip(middles, names, strict=True)]
    above = [max(measured[name]) - m for m, name in zip(middles, names, strict=True)]
    figure, axes = pyplot.subplots(figsize=(7, 0.45 * len(names) + 1))
    colours = ["#1f6f8b" if name == OURS else "#9aa5ab" for name in names]
    axes.barh(names, middles, xerr=[below, above], color=colours, capsize=3)
    axes.invert_yaxis()
    axes.set_xlabel("CPU µs a post: parse, validate, tag (no-op), publish (acks=all), commit")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)


def _whats(found: Mapping[str, Any]) -> set[str]:
    return {ratio["what"] for ratio in found["ratios"]}
