"""What was measured, in words for people: on the terminal and in reports alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import TypeAlias

from streamproc_mner.evaluation.calibration_error import Reliability
from streamproc_mner.evaluation.comparing import Against, Comparison, Runs
from streamproc_mner.evaluation.evaluating import Evaluated, EvaluatedView
from streamproc_mner.evaluation.examples import Example
from streamproc_mner.evaluation.significance import Difference, Interval
from streamproc_mner.evaluation.spans import Score

Rows: TypeAlias = tuple[list[str], list[list[str]]]
"""A table: its head, and its rows."""


def data_line(evaluated: Evaluated) -> str:
    """What was measured on what."""
    posts = evaluated.posts
    entities = sum(len(post.spans) for post in posts)
    words = sum(len(post.words) for post in posts)
    line = f"{evaluated.model} on {evaluated.data}: {len(posts)} posts, {words} words, {entities} entities"
    seen = ", ".join(f"{name} of {count}" for name, count in sorted(evaluated.seen.items()))
    return f"{line}; of pictures: {seen or 'nothing'}"


def difference_line(difference: Difference) -> str:
    """What the pictures change, and whether that is more than chance."""
    return (
        f"image+text - text: {points(difference.value)} F1, 95 % interval "
        f"{points_between(difference.interval)}, p {p_value(difference.p)}"
        + ("; that is inside the noise" if inside_noise(difference) else "")
    )


def view_rows(evaluated: Evaluated) -> Rows:
    """All that was measured of each view but entities' scores."""
    facts = [_facts(found) for found in evaluated.views.values()]
    return ["", *evaluated.views], [[title, *(fact[title] for fact in facts)] for title in facts[0]]


def score_rows(found: EvaluatedView) -> list[tuple[str, Score]]:
    """The scores of one view: overall, by type, by borders alone, of mentions."""
    evaluation = found.measured.evaluation
    rows = [("overall", evaluation.overall), *sorted(evaluation.by_type.items())]
    rows.append(("segmentation", evaluation.segmentation))
    mentions = evaluation.mentions
    if mentions is not None and (mentions.gold or mentions.predicted):
        rows += [("without mentions", evaluation.without_mentions), ("mentions", mentions)]
    return rows


def compared_line(comparison: Comparison) -> str:
    """What was compared on what."""
    entities = sum(len(post.spans) for post in comparison.posts)
    return f"{comparison.data}: {len(comparison.posts)} posts, {entities} gold entities"


def runs_rows(comparison: Comparison) -> Rows:
    """Precision, recall and F1 of each contestant; means where it has several seeds."""
    head = ["model", "view", "P", "R", "F1", "95 % interval"]
    seeds = any(len(runs.measured) > 1 for runs in comparison.runs)
    return [*head, *(["seeds", "s.d."] if seeds else [])], [_run(runs, seeds) for runs in comparison.runs]


def type_rows(comparison: Comparison) -> Rows:
    """F1 by type and by borders alone, a column for each contestant."""
    types = sorted(
        {name for runs in comparison.runs for one in runs.measured for name in one.evaluation.by_type}
    )
    rows = [[name, *(percent(runs.f1_of_type(name)) for runs in comparison.runs)] for name in types]
    segmentation = [
        percent(statistics.mean(one.evaluation.segmentation.f1 for one in runs.measured))
        for runs in comparison.runs
    ]
    return ["F1", *(runs.name for runs in comparison.runs)], [*rows, ["segmentation", *segmentation]]


def against_rows(comparison: Comparison) -> Rows:
    """Each contestant against the base."""
    head = [f"against {comparison.base.name}", "F1", "95 % interval", "p", "fixed", "broken", "p McNemar"]
    seeds = any(len(runs.measured) > 1 for runs in comparison.runs)
    return [*head, *(["p t-test"] if seeds else [])], [_against(one, seeds) for one in comparison.against]


def example_lines(example: Example, base: str, other: str) -> Iterator[str]:
    """A fixed or broken entity in three lines."""
    yield f"{example.kind}: {example.entity} [{example.type}] in post {example.post}: {example.text}"
    yield f"  {base}: {said(example.base)}"
    yield f"  {other}: {said(example.other)}"


def said(entities: tuple[tuple[str, str], ...]) -> str:
    """What a model says in one place."""
    return ", ".join(f"{text} [{name}]" for text, name in entities) or "no entity"


def interval(found: Interval) -> str:
    """Per cent from low to high."""
    return f"{percent(found.low)} to {percent(found.high)}"


def points_between(found: Interval) -> str:
    """Of a difference in per cent, from low to high."""
    return f"{points(found.low)} to {points(found.high)}"


def inside_noise(difference: Difference) -> bool:
    """Whether the interval has the zero in it."""
    return difference.interval.low <= 0 <= difference.interval.high


def percent(share: float) -> str:
    """With two decimals, without the sign."""
    return f"{100 * share:.2f}"


def points(share: float) -> str:
    """A difference in per cent, with its sign."""
    return f"{100 * share:+.2f}"


def p_value(p: float | None) -> str:
    """With three decimals; a small one as such."""
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _facts(found: EvaluatedView) -> dict[str, str]:
    measured, speed = found.measured, found.measured.speed
    return {
        "F1, 95 % interval": interval(found.interval),
        "token accuracy": percent(measured.token_accuracy),
        "calibration error, entities": _calibration(measured.entities, "none predicted"),
        "calibration error, tokens": _calibration(measured.tokens, "other tokens"),
        "posts/s on this machine": f"{speed.posts_per_second:.0f}",
        "words/s on this machine": f"{speed.words_per_second:.0f}",
    }


def _calibration(found: Reliability | None, none: str) -> str:
    return none if found is None else f"{found.error:.3f}"


def _run(runs: Runs, seeds: bool) -> list[str]:
    overall = [one.evaluation.overall for one in runs.measured]
    row = [
        runs.name,
        runs.view,
        percent(statistics.mean(score.precision for score in overall)),
        percent(statistics.mean(score.recall for score in overall)),
        percent(statistics.mean(runs.f1s)),
        interval(runs.interval),
    ]
    deviation = "-" if runs.deviation is None else percent(runs.deviation)
    return [*row, *([str(len(runs.measured)), deviation] if seeds else [])]


def _against(against: Against, seeds: bool) -> list[str]:
    row = [
        against.runs.name,
        points(against.difference.value),
        points_between(against.difference.interval),
        p_value(against.difference.p),
        str(len(against.fixed)),
        str(len(against.broken)),
        p_value(against.mcnemar),
    ]
    return [*row, *([p_value(against.t_test)] if seeds else [])]
