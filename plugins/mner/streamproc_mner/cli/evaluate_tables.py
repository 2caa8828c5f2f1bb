"""The tables of `streamproc evaluate` on a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from streamproc_mner.evaluation.evaluating import Evaluated
from streamproc_mner.evaluation.spans import Score
from streamproc_mner.evaluation.wording import percent, score_rows, view_rows


def scores_table(evaluated: Evaluated) -> Table:
    """Precision, recall and F1 of each view: overall, by type, by borders alone, of mentions."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("\ngold", justify="right")
    for name in evaluated.views:
        table.add_column(f"{name}\nP", justify="right")
        for title in ("R", "F1"):
            table.add_column(f"\n{title}", justify="right")
    views = [dict(score_rows(found)) for found in evaluated.views.values()]
    for title in dict.fromkeys(title for view in views for title in view):
        scores = [view.get(title, Score(0, 0, 0)) for view in views]
        shares = [share for score in scores for share in (score.precision, score.recall, score.f1)]
        table.add_row(escape(title), str(max(score.gold for score in scores)), *map(percent, shares))
    return table


def facts_table(evaluated: Evaluated) -> Table:
    """All else that was measured of each view."""
    head, rows = view_rows(evaluated)
    table = Table(box=None, pad_edge=False)
    for place, title in enumerate(head):
        table.add_column(title, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
