"""The size of the training set: chen2021-wnut figure 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from streamproc.entities import View
from streamproc.errors import SettingsError
from streamproc_mner.analysis.findings import Cell, Findings, Plot
from streamproc_mner.analysis.scores import Draws, f1
from streamproc_mner.analysis.systems import SHORT
from streamproc_mner.analysis.training_runs import Curve, Result, Train, TrainingRun, run_result
from streamproc_mner.evaluation.significance import Counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SHARES: Final = 100
COLUMNS = ("posts", "percent", "recipe", "view", "F1", "s.d.", "F1 95 %", "difference", "difference 95 %")


def by_size(
    curve: Curve, view: View | None, draws: Draws, train: Train, told: Callable[[str], None]
) -> Findings:
    """F1 over the number of training posts (chen2021-wnut section 5.2, figure 3).

    Every run that is finished is kept and not run again; one that was stopped goes on.

    Args:
        curve: what is trained.
        view: the only one to measure; by default all that a model has of the posts.
        draws: of the bootstrap.
        train: runs a training.
        told: gets a line before each run.

    Raises:
        StreamprocError: a training failed.
    """
    results: dict[TrainingRun, Result] = {}
    for number, run in enumerate(curve.runs, start=1):
        told(f"run {number} of {len(curve.runs)}: {run}")
        results[run] = run_result(curve, run, train)
    rows = tuple(row for share in curve.shares for row in _rows(curve, share, view, results, draws))
    if not rows:
        raise SettingsError(
            f"--view {view}: no model that was trained has this view of {curve.report.path}"
        )
    seeds = ", ".join(map(str, curve.seeds))
    notes = (
        f"Measured on {curve.report.path.name}. {draws.told} Seeds of training: {seeds}; F1 is their mean.",
        "posts: that were trained on; each seed draws its own, a smaller share being part of a larger one.",
        f"difference: F1 against {rows[0][2]} ({rows[0][3]}) trained on as many posts.",
    )
    return Findings("size", "F1 by the size of the training set", COLUMNS, rows, notes, _lines(rows))


def shares_of(text: str) -> tuple[float, ...]:
    """Shares such as `0.25,0.5,1`.

    Raises:
        SettingsError: no numbers, not rising from above 0 to at most 1, or more than `MOST_SHARES`.
    """
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if len(shares) > MOST_SHARES:
        raise SettingsError(
            f"--shares: {len(shares)} of them, expected at most {MOST_SHARES}: each is trained"
        )
    if not shares or not all(low < high <= 1 for low, high in pairwise((0.0, *shares))):
        raise SettingsError(
            f"--shares {text}: expected rising shares of the posts up to 1, such as 0.25,0.5,1"
        )
    return shares


def _rows(
    curve: Curve, share: float, view: View | None, results: Mapping[TrainingRun, Result], draws: Draws
) -> list[tuple[Cell, ...]]:
    """Each recipe and view, trained on a share of the posts; the first is the others' base."""
    rows: list[tuple[Cell, ...]] = []
    base: Counts | None = None
    for recipe in curve.recipes:
        of_seeds = [results[TrainingRun(recipe, share, seed)] for seed in curve.seeds]
        for name in of_seeds[0].counts:
            if view not in (None, name):
                continue
            counts = np.array([result.counts[name] for result in of_seeds], np.int64)  # (seeds, n, 3)
            each = [f1(of_seed) for of_seed in counts]
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else None
            difference = (None, None) if base is None else draws.difference(base, counts)
            base = counts if base is None else base
            label = TrainingRun(recipe, share, 0).label
            rows.append(
                (of_seeds[0].posts, 100 * share, label, SHORT[name], f1(counts), spread,
                 draws.interval(counts), *difference)
            )  # fmt: skip
    return rows


def _lines(rows: Sequence[tuple[Cell, ...]]) -> Plot:
    """A line for each recipe and view, over the number of posts, with the seeds' standard deviation."""
    names = list(dict.fromkeys((row[2], row[3]) for row in rows))

    def plot(axes: Axes) -> None:
        for recipe, view in names:
            own = [row for row in rows if (row[2], row[3]) == (recipe, view)]
            posts, heights, spread = (
                np.array([row[place] or 0 for row in own], float) for place in (0, 4, 5)
            )
            axes.errorbar(posts, heights, yerr=spread, marker="o", elinewidth=1, label=f"{recipe} ({view})")
        axes.set_xlabel("training posts")
        axes.set_ylabel("F1, percent; s.d. over seeds")

    return plot
