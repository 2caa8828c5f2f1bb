"""How good systems are on parts of the data: posts of some length, entities of some kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from streamproc_mner.analysis.findings import Findings, Plot
from streamproc_mner.analysis.scores import COLUMNS, Draws, cells, f1
from streamproc_mner.analysis.systems import SHORT, Tagged, counts_of_models, seeds_told
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.significance import Counts
from streamproc_mner.labels import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Assign = Callable[[LabelledPost, Span], str]
"""The part that an entity of a post belongs to, gold or predicted."""

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut of the data into parts.

    Attributes:
        name: of what tells them apart; the table's first column.
        parts: their names, in order.
        assign: the part of an entity.
    """

    name: str
    parts: tuple[str, ...]
    assign: Assign


def findings_by_part(
    name: str, title: str, tagged: Sequence[Tagged], cut: Cut, notes: Sequence[str], draws: Draws
) -> Findings:
    """Precision, recall and F1 of each system on each part, and on all.

    Args:
        name: of the analysis.
        title: in a line.
        tagged: the same n posts by each system; the first is what the others are compared with.
        cut: of the data.
        notes: that the analysis adds.
        draws: of the bootstrap.
    """
    parts = {part: [_counts(one, cut, part) for one in tagged] for part in (*cut.parts, ALL)}
    rows = tuple(
        (
            part, _gold(counts), one.system.name, SHORT[one.system.view],
            *cells(counts, of_part[0] if place else None, draws),
        )
        for part, of_part in parts.items()
        for place, (one, counts) in enumerate(zip(tagged, of_part, strict=True))
    )  # fmt: skip
    told = [f"{len(tagged[0].posts)} posts. {draws.told}", *seeds_told(one.system for one in tagged)]
    if len(tagged) > 1:
        told.append(f"difference: F1 against {tagged[0].system.label}, of the same posts.")
    columns = (cut.name, "gold", "model", "view", *COLUMNS)
    return Findings(name, title, columns, rows, (*told, *notes), _bars(cut.name, tagged, parts, draws))


def _counts(tagged: Tagged, cut: Cut, part: str) -> Counts:
    """(s, n, 3) of the entities of one part."""
    if part == ALL:
        return counts_of_models(tagged.judged)

    def within(post: LabelledPost) -> Callable[[Span], bool]:
        return lambda span: cut.assign(post, span) == part

    keeps = [within(post) for post in tagged.posts]
    return counts_of_models(
        [
            [judged.only(keep) for judged, keep in zip(of_model, keeps, strict=True)]
            for of_model in tagged.judged
        ]
    )


def _gold(counts: Counts) -> int:
    return int(counts[0, :, 0].sum())


def _bars(name: str, tagged: Sequence[Tagged], parts: Mapping[str, Sequence[Counts]], draws: Draws) -> Plot:
    """Bars of F1 side by side, of the parts that have entities, with intervals."""
    there = [part for part, counts in parts.items() if _gold(counts[0])]

    def plot(axes: Axes) -> None:
        width = 0.8 / len(tagged)
        for place, one in enumerate(tagged):
            own = [parts[part][place] for part in there]
            heights = np.array([f1(counts) for counts in own])
            reach = np.abs(np.array([draws.interval(counts) for counts in own]).T - heights)
            at = np.arange(len(there)) + (place - (len(tagged) - 1) / 2) * width
            error = {"elinewidth": 1, "ecolor": "#444444"}
            axes.bar(at, heights, width * 0.92, yerr=reach, error_kw=error, label=one.system.label)
        axes.set_xticks(range(len(there)), [f"{part}\n{_gold(parts[part][0])} gold" for part in there])
        axes.set_xlabel(name)
        axes.set_ylabel("F1, percent; 95 % intervals")
        axes.set_ylim(0, 100)

    return plot
