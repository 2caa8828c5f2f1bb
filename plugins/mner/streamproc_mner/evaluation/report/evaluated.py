"""The page of `streamproc evaluate --html`."""

from __future__ import annotations

from collections import Counter
from typing import Final

from streamproc.html.markup import Html, element
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.evaluating import Evaluated
from streamproc_mner.evaluation.examples import text_of
from streamproc_mner.evaluation.measuring import Measured
from streamproc_mner.evaluation.mistakes import BadPost, Confusion, confusions, worst_posts
from streamproc_mner.evaluation.report.charts import bars, reliability_plot
from streamproc_mner.evaluation.report.page import page, section, table
from streamproc_mner.evaluation.spans import Score
from streamproc_mner.evaluation.wording import (
    data_line,
    inside_noise,
    interval,
    p_value,
    percent,
    points,
    points_between,
    score_rows,
    view_rows,
)
from streamproc_mner.labels import Span

WORST: Final = 20
_CONFUSIONS: Final = 15
_BORDERS: Final = {"right": "right", "wrong": "wrong", "none": "-"}


def evaluated_page(evaluated: Evaluated) -> bytes:
    """The page, as UTF-8."""
    sections = [
        section("F1", _heads(evaluated)),
        section(
            "Scores",
            _scores(evaluated),
            note="An entity is right if its borders and its type are. Segmentation asks for the borders "
            "alone. Entities whose borders lie inside a word count as wrong.",
        ),
        section("F1 by type", _by_type(evaluated)),
        section(
            "Calibration",
            _calibration(evaluated),
            note="How often the model is right (bars) where it is this sure. On the diagonal it knows how "
            "sure to be; the dashed box is the gap.",
        ),
        section("Beside F1", table(*view_rows(evaluated))),
        section("Most frequent mistakes", _confusions(evaluated)),
        _worst(evaluated),
    ]
    return page(f"{evaluated.model}, evaluated", [data_line(evaluated), *evaluated.notes], sections)


def _heads(evaluated: Evaluated) -> Html:
    heads = [
        _head(percent(found.measured.evaluation.overall.f1), name, f"95 %: {interval(found.interval)}")
        for name, found in evaluated.views.items()
    ]
    difference = evaluated.difference
    if difference is not None:
        told = f"95 %: {points_between(difference.interval)}, p {p_value(difference.p)}"
        noise = ", inside the noise" if inside_noise(difference) else ""
        heads.append(_head(points(difference.value), f"what the pictures change{noise}", told))
    return element("div", {"class": "heads"}, *heads)


def _head(figure: str, name: str, told: str) -> Html:
    return element(
        "p",
        {"class": "head"},
        element("b", {}, figure),
        element("span", {}, name),
        element("span", {}, told),
    )


def _scores(evaluated: Evaluated) -> Html:
    views = {name: dict(score_rows(found)) for name, found in evaluated.views.items()}
    head = ["", "gold"]
    for name in views:
        head += [f"{name}: P", "R", "F1"]
    rows = []
    for title in dict.fromkeys(title for view in views.values() for title in view):
        scores = [view.get(title, Score(0, 0, 0)) for view in views.values()]
        cells = [percent(share) for one in scores for share in (one.precision, one.recall, one.f1)]
        rows.append([title, str(max(score.gold for score in scores)), *cells])
    return table(head, rows)


def _by_type(evaluated: Evaluated) -> Html:
    by_view = [found.measured.evaluation.by_type for found in evaluated.views.values()]
    names = sorted({name for by_type in by_view for name in by_type})
    none = Score(0, 0, 0)
    rows = [(name, [by_type.get(name, none).f1 for by_type in by_view]) for name in names]
    return bars(rows, list(evaluated.views))


def _calibration(evaluated: Evaluated) -> Html:
    plots = [
        reliability_plot(f"{what}, {name}", reliability)
        for name, found in evaluated.views.items()
        for what, reliability in (("entities", found.measured.entities), ("tokens", found.measured.tokens))
        if reliability is not None
    ]
    return element("div", {"class": "plots"}, *plots)


def _confusions(evaluated: Evaluated) -> Html:
    counted = [confusions(found.measured.judged) for found in evaluated.views.values()]
    together: Counter[Confusion] = sum(counted, Counter())
    rows = [
        [
            one.gold or "no entity",
            one.found or "missed",
            _BORDERS[one.borders],
            *(str(counts[one]) for counts in counted),
        ]
        for one, _ in together.most_common(_CONFUSIONS)
    ]
    return table(["gold", "found as", "borders", *evaluated.views], rows, texts=3)


def _worst(evaluated: Evaluated) -> Html:
    name, found = list(evaluated.views.items())[-1]
    worst = worst_posts(found.measured.judged, found.measured.predicted, WORST)
    items = [_bad_post(evaluated.posts[bad.index], found.measured, bad) for bad in worst]
    return section(
        f"Worst posts, {name}",
        element("ol", {"class": "posts"}, *items) if items else element("p", {}, "No mistakes."),
        note="Posts whose wrong entities have the highest scores: what the model is most wrongly sure of, "
        "or where the gold labels are wrong.",
    )


def _bad_post(post: LabelledPost, measured: Measured, bad: BadPost) -> Html:
    judged, said = measured.judged[bad.index], measured.predicted[bad.index]
    lines = [
        _verdict("wrong", post, scored.span, f"{scored.probability:.3f}")
        for scored in said.spans
        if scored.span in judged.found - judged.gold
    ]
    lines += [
        _verdict("wrong", post, scored.span, f"{scored.probability:.3f}, cuts a word")
        for scored in said.strays
        if scored.span in judged.strays
    ]
    missed = sorted(judged.gold - judged.found, key=lambda span: span.start)
    lines += [_verdict("missed", post, span, "") for span in missed]
    where = element("span", {"class": "where"}, f"post {post.id or bad.index + 1}")
    text = element("p", {"class": "post", "dir": "auto"}, post.text)
    return element("li", {}, where, text, element("ul", {"class": "verdicts"}, *lines))


def _verdict(kind: str, post: LabelledPost, span: Span, told: str) -> Html:
    return element(
        "li",
        {},
        element("span", {"class": f"verdict {kind}"}, kind),
        element("span", {}, element("bdi", {}, text_of(post, span)), f" [{span.type}] {told}"),
    )
