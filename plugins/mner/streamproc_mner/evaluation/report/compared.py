"""The page of `streamproc compare --html`."""

from __future__ import annotations

import statistics
from typing import Final

from streamproc.html.markup import Html, element
from streamproc_mner.evaluation.comparing import Comparison
from streamproc_mner.evaluation.examples import Example, examples
from streamproc_mner.evaluation.report.charts import bars, whiskers
from streamproc_mner.evaluation.report.page import page, section, table
from streamproc_mner.evaluation.wording import against_rows, compared_line, runs_rows, said, type_rows

EXAMPLES: Final = 20


def compared_page(comparison: Comparison) -> bytes:
    """The page, as UTF-8."""
    base = comparison.base.name
    sections = [
        section(
            "F1",
            whiskers([_f1(comparison, place) for place in range(len(comparison.runs))]),
            table(*runs_rows(comparison), texts=2),
            note="With 95 % intervals: posts are drawn anew, with replacement. Of several seeds, "
            "their mean.",
        ),
        section("F1 by type", table(*type_rows(comparison))),
        section(
            f"Against {base}",
            _differences(comparison),
            table(*against_rows(comparison)),
            note="Differences over the same resampled posts, in points of F1; p is two-sided. McNemar's "
            "test asks whether more gold entities are fixed than broken; it sees no wrongly found ones.",
        ),
        section(
            "Fixed and broken entities",
            _fixed_and_broken(comparison),
            note=f"Fixed: {base} gets the gold entity wrong and the other one right. Broken: the other way "
            "round. Of several seeds, what most of them say.",
        ),
        *(_examples(comparison, place) for place in range(len(comparison.against))),
    ]
    names = ", ".join(runs.name for runs in comparison.runs)
    return page(f"{names}, compared", [compared_line(comparison), *comparison.notes], sections)


def _f1(comparison: Comparison, place: int) -> tuple[str, float, float, float]:
    runs = comparison.runs[place]
    return runs.name, statistics.mean(runs.f1s), runs.interval.low, runs.interval.high


def _differences(comparison: Comparison) -> Html:
    rows = [
        (one.runs.name, one.difference.value, one.difference.interval.low, one.difference.interval.high)
        for one in comparison.against
    ]
    return whiskers(rows, zero=True)


def _fixed_and_broken(comparison: Comparison) -> Html:
    rows = [(one.runs.name, (len(one.fixed), len(one.broken))) for one in comparison.against]
    return bars(rows, ["fixed", "broken"], unit="")


def _examples(comparison: Comparison, place: int) -> Html:
    against = comparison.against[place]
    names = comparison.base.name, against.runs.name
    shown = examples(comparison.posts, comparison.base, against, EXAMPLES)
    items = [_example(example, *names) for example in shown]
    return section(
        f"{against.runs.name}: entities that it fixes and breaks",
        element("ol", {"class": "posts"}, *items) if items else element("p", {}, "None."),
        note=f"The first {EXAMPLES} of each in the file.",
    )


def _example(example: Example, base: str, other: str) -> Html:
    lines = [
        (example.kind, f"{example.entity} [{example.type}]"),
        (base, said(example.base)),
        (other, said(example.other)),
    ]
    verdicts = [
        element("li", {}, element("span", {"class": f"verdict {css}"}, name), element("bdi", {}, told))
        for css, (name, told) in zip((example.kind, "", ""), lines, strict=True)
    ]
    where = element("span", {"class": "where"}, f"post {example.post}")
    text = element("p", {"class": "post", "dir": "auto"}, example.text)
    return element("li", {}, where, text, element("ul", {"class": "verdicts"}, *verdicts))
