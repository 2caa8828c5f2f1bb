"""How good models are on the same posts, given in several ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from streamproc_mner.analysis.findings import Findings, Plot
from streamproc_mner.analysis.scores import COLUMNS, Draws, cells, f1
from streamproc_mner.evaluation.significance import Counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Variants = Mapping[str, Mapping[str, Counts]]
"""(s, n, 3) counts of the same n posts, by the variant and by the name of s models.

Where a variant was drawn several times, a post's counts are the sums over the draws: F1 of the
sums is that of all draws together, and posts stay what the bootstrap draws.
"""


def findings_by_variant(
    name: str,
    title: str,
    what: str,
    variants: Variants,
    base: str,
    notes: Sequence[str],
    draws: Draws,
    *,
    ordered: bool,
) -> Findings:
    """Precision, recall and F1 of each model on each variant.

    Args:
        name: of the analysis.
        title: in a line.
        what: tells the variants apart; the table's first column.
        variants: in order.
        base: the variant that each model's others are compared with.
        notes: that the analysis adds.
        draws: of the bootstrap.
        ordered: whether a line from variant to variant means something.
    """
    posts = next(iter(variants[base].values())).shape[1]
    rows = tuple(
        (variant, model, *cells(counts, None if variant == base else variants[base][model], draws))
        for variant, by_model in variants.items()
        for model, counts in by_model.items()
    )
    told = (
        f"{posts} posts. {draws.told}",
        f"difference: F1 against {what} {base} of the same model and posts.",
    )
    plot = _points(what, variants, draws, "-" if ordered else "none")
    return Findings(name, title, (what, "model", *COLUMNS), rows, (*told, *notes), plot)


def _points(what: str, variants: Variants, draws: Draws, line: str) -> Plot:
    """A point with its interval for each model and variant."""
    names = list(variants)
    models = list(variants[names[0]])

    def plot(axes: Axes) -> None:
        for place, model in enumerate(models):
            own = [variants[name][model] for name in names]
            heights = np.array([f1(counts) for counts in own])
            reach = np.abs(np.array([draws.interval(counts) for counts in own]).T - heights)
            at = np.arange(len(names)) + 0.06 * (place - (len(models) - 1) / 2)
            axes.errorbar(at, heights, yerr=reach, marker="o", linestyle=line, elinewidth=1, label=model)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_xlabel(what)
        axes.set_ylabel("F1, percent; 95 % intervals")

    return plot
