"""The tables of `streamproc compare` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from streamproc_mner.evaluation.comparing import Comparison
from streamproc_mner.evaluation.wording import against_rows, runs_rows, type_rows


def runs_table(comparison: Comparison) -> Table:
    """Precision, recall, F1 with its interval, of each model."""
    return _table(*runs_rows(comparison))


def types_table(comparison: Comparison) -> Table:
    """F1 by type, a column for each model."""
    return _table(*type_rows(comparison))


def against_table(comparison: Comparison) -> Table:
    """Each model against the base."""
    return _table(*against_rows(comparison))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, title in enumerate(head):
        table.add_column(escape(title), justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
