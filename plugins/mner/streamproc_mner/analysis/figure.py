"""The plot of an analysis as a picture: PNG or SVG, drawn without a screen and without global state."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from streamproc.errors import SettingsError
from streamproc_mner.analysis.findings import Findings

Format = Literal["png", "svg"]

_SIZE: Final = (8.0, 4.5)
_DOTS: Final = 150


def format_of(path: Path) -> Format:
    """The format that a file's name asks for.

    Raises:
        SettingsError: neither .png nor .svg.
    """
    match path.suffix.lower():
        case ".png":
            return "png"
        case ".svg":
            return "svg"
    raise SettingsError(f"--plot {path}: expected a name that ends in .png or .svg")


def needs_matplotlib() -> None:
    """Say so where it is not installed.

    Raises:
        SettingsError: it is not.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SettingsError("plots need matplotlib: pip install 'streamproc-mner[train]'") from None


def drawn(findings: Findings, format: Format) -> bytes:
    """The plot of an analysis that has one.

    Raises:
        SettingsError: the analysis has nothing to draw.
    """
    if findings.plot is None:
        raise SettingsError(f"{findings.name}: nothing to draw of {findings.title!r}: leave --plot out")
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(findings.title, fontsize="medium", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    findings.plot(axes)
    handles, labels = axes.get_legend_handles_labels()
    if labels and axes.get_legend() is None:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    written = BytesIO()
    figure.savefig(written, format=format)
    return written.getvalue()
