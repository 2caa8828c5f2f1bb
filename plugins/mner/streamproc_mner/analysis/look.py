"""When a look at a picture is worth it: F1 and cost against the share of pictures that are looked at."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from streamproc_mner.analysis.findings import Cell, Findings
from streamproc_mner.analysis.look_curves import (
    DRAWS,
    ENOUGH,
    affordable,
    chance,
    fewest,
    oracle,
    oracle_reach,
)
from streamproc_mner.analysis.look_plot import look_plot
from streamproc_mner.analysis.scores import Draws, f1
from streamproc_mner.analysis.watched import Costs, Watched
from streamproc_mner.evaluation.significance import Counts

FEW: Final = 0.3
"""The share of the looks that the goal allows."""

ChosenBy = Literal["gain", "budget", "hand"]
"""How a threshold is chosen: to keep the gain, to keep to a number of looks, or by a person."""

_SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_COLUMNS: Final = (
    "posts", "look", "looks", "looks %", "F1", "F1 95 %",
    "by chance", "by chance 95 %", "oracle", "ms a post",
)  # fmt: skip


def chosen_threshold(watched: Watched) -> float | None:
    """The threshold with the fewest looks that keeps 95 % of the gain; `None` where there is no gain."""
    point = fewest(watched.sweep, f1(watched.always()))
    return None if point is None else float(watched.sweep.thresholds[point])


def affordable_threshold(watched: Watched, share: float) -> float:
    """The threshold that looks at most at a share (0 to 1) of the pictures, whatever that gains."""
    point = affordable(watched.sweep, int(share * watched.pictures))
    return float(watched.sweep.thresholds[point])


def look_findings(
    model: str,
    on: Watched,
    report: Watched | None,
    threshold: float | None,
    *,
    by: ChosenBy,
    costs: Costs,
    draws: Draws,
) -> Findings:
    """The curve, and what a threshold keeps of the gain.

    Args:
        model: its name.
        on: the posts that the threshold is chosen on.
        report: other posts that it is reported on; the curve is theirs then.
        threshold: that was chosen, `None` where there was nothing to choose.
        by: how it was chosen.
        costs: of a post and a picture.
        draws: of the bootstrap, and of chance.
    """
    shown = report or on
    own = [] if threshold is None else [threshold]
    rows = _rows(shown, sorted({*_round_shares(shown), *own}, reverse=True), costs, draws)
    if report is not None:
        rows = [*_rows(on, own, costs, draws), *rows]
    notes = [
        _choice(on, threshold, by, draws),
        *_verdict(shown, threshold, draws),
        _least(shown),
        _how(costs),
    ]
    notes.append(draws.told)
    title = f"When to look, {model} on {shown.name}: F1 against the share of pictures looked at"
    plot = look_plot(shown, threshold, costs, draws.seed)
    return Findings("look", title, _COLUMNS, tuple(rows), tuple(notes), plot)


def _round_shares(watched: Watched) -> list[float]:
    """The thresholds that come nearest to round shares of the looks."""
    wanted = [round(share * watched.pictures) for share in _SHARES]
    points = {int(np.abs(watched.sweep.looks - count).argmin()) for count in wanted}
    return [float(watched.sweep.thresholds[point]) for point in points]


def _rows(watched: Watched, thresholds: list[float], costs: Costs, draws: Draws) -> list[tuple[Cell, ...]]:
    """Never, some thresholds, always."""
    posts, pictures = len(watched.looks.without), watched.pictures
    looks = np.array([0, *(watched.looks.at(t).sum() for t in thresholds), pictures], np.int64)
    mean, low, high = chance(watched.looks, looks, draws.seed)
    best = oracle(watched.looks, looks)

    def row(place: int, name: str, counts: Counts, cost: float) -> tuple[Cell, ...]:
        many = int(looks[place])
        drawn: tuple[Cell, Cell] = (float(mean[place]), (float(low[place]), float(high[place])))
        return (
            watched.name, name, many, 100 * many / pictures, f1(counts), draws.interval(counts),
            *((None, None) if name in ("never", "always") else drawn), float(best[place]), cost,
        )  # fmt: skip

    between = [
        row(
            place,
            f"uncertain({threshold:g})",
            watched.uncertain(threshold),
            costs.looking_second(float(looks[place]) / posts),
        )
        for place, threshold in enumerate(thresholds, start=1)
    ]
    return [
        row(0, "never", watched.never(), costs.looking_first(0)),
        *between,
        row(len(looks) - 1, "always", watched.always(), costs.looking_first(pictures / posts)),
    ]


def _choice(on: Watched, threshold: float | None, by: ChosenBy, draws: Draws) -> str:
    if threshold is None:
        return (
            f"On {on.name} looking always gains nothing over looking never, so there is no threshold to "
            "choose: look = never is the cheapest."
        )
    if by == "hand":
        return f"uncertain({threshold:g}) was given, not chosen here."
    gain, (low, high) = draws.difference(on.never(), on.always())
    doubt = " That gain is inside the noise: other posts would give another threshold." if low <= 0 else ""
    why = (
        f"the fewest looks that keep {_share(ENOUGH)} of the gain" if by == "gain" else "what is affordable"
    )
    return (
        f"uncertain({threshold:g}) was chosen on {on.name}: {why}. Always against never there: "
        f"{_told(gain, (low, high))}.{doubt if by == 'gain' else ''} Choose on posts that the model was "
        "not trained on, and report on others (--report)."
    )


def _verdict(shown: Watched, threshold: float | None, draws: Draws) -> list[str]:
    """What looking gains, whether that is more than chance, and what the threshold keeps of it."""
    gain, (low, high) = draws.difference(shown.never(), shown.always())
    notes = [f"Always against never on {shown.name}: {_told(gain, (low, high))}."]
    noise = low <= 0.0 <= high
    if noise:
        notes.append(
            "The interval holds 0: the gain is inside the noise, and so is what a threshold keeps of it."
        )
    if threshold is None:
        return notes
    counts, looks = shown.uncertain(threshold), int(shown.looks.at(threshold).sum())
    share = looks / shown.pictures
    kept = draws.difference(shown.never(), counts)
    lost = draws.difference(shown.always(), counts)
    notes.append(
        f"uncertain({threshold:g}) looks at {looks} of {shown.pictures} pictures ({_share(share, 1)}). "
        f"Against never: {_told(*kept)}; against always: {_told(*lost)}."
    )
    if gain > 0:
        part = kept[0] / gain
        met = "met" if part >= ENOUGH and share <= FEW else "missed"
        notes.append(
            f"It keeps {_share(part)} of the gain; the goal, {_share(ENOUGH)} with {_share(FEW)} of the "
            "looks, is " + (f"{met}, as far as a gain inside the noise can tell." if noise else f"{met}.")
        )
    return notes


def _least(shown: Watched) -> str:
    """How few looks could do at best."""
    meaning = "oracle: the best F1 that up to so many looks could bring, if one knew where they help"
    none, everything = f1(shown.never()), f1(shown.always())
    if everything <= none:
        return f"{meaning}."
    reached = oracle_reach(shown.looks, none + ENOUGH * (everything - none))
    share = _share(reached / shown.pictures, 1)
    return f"{meaning}; it has {_share(ENOUGH)} of the gain with {reached} looks ({share})."


def _how(costs: Costs) -> str:
    return (
        f"looks %: of the pictures there are. by chance: as many pictures drawn at random, {DRAWS} times. "
        f"ms a post: {costs.tag_ms:g} to tag it and {costs.look_ms:g} a look; with a threshold, posts that "
        "are looked at are tagged twice."
    )


def _told(difference: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{difference:+.2f} F1 (95 % {low:+.2f} to {high:+.2f})"


def _share(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"
