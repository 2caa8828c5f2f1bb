"""What an analysis found: a table, what to know about it, and a plot. All analyses have this one form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cell: TypeAlias = str | int | float | tuple[float, float] | None
"""A text, a count, a figure, an interval from low to high; `None` where there is nothing to tell."""

Plot: TypeAlias = "Callable[[Axes], None]"

DECIMALS: Final = 2


@dataclass(frozen=True, slots=True)
class Findings:
    """What an analysis found.

    Attributes:
        name: of the analysis, as its command is called.
        title: in a line.
        columns: names of the table's columns.
        rows: as many cells as columns, each.
        notes: sentences: what it was measured on, how, and what follows from it.
        plot: draws it; `None` where there is nothing to draw.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    plot: Plot | None = None

    def as_json(self) -> dict[str, Any]:
        """For scripts: rows by column, figures unrounded."""
        return {
            "analysis": self.name,
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "notes": list(self.notes),
        }

    def as_text(self) -> list[list[str]]:
        """For people: the rows' cells as they are shown."""
        return [[shown(cell) for cell in row] for row in self.rows]

    def is_text(self, column: int) -> bool:
        """Whether a column holds texts, which stand on the left; figures stand on the right."""
        return any(isinstance(row[column], str) for row in self.rows)


def shown(cell: Cell) -> str:
    """A cell as people read it."""
    match cell:
        case None:
            return ""
        case (low, high):
            return f"{low:.{DECIMALS}f} to {high:.{DECIMALS}f}"
        case float():
            return f"{cell:.{DECIMALS}f}"
        case _:
            return str(cell)
