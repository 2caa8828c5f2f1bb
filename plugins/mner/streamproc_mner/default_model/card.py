"""The model card of the default model, its figures filled in as measured."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from streamproc_mner.default_model.candidates import Candidates
from streamproc_mner.default_model.measured import TEXT, InContext, Report
from streamproc_mner.evaluation.significance import Interval
from streamproc_mner.exporting.exported import Exported
from streamproc_mner.labels import ENTITY_TYPES
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.training.splits import Splits

_TEMPLATE: Final = "card.md"


def model_card(
    splits: Sequence[Splits], made: Candidates, report: Report, recipe: Recipe, exported: Exported
) -> str:
    """The card's text.

    Args:
        splits: of the data sets, for their sizes.
        made: all candidates.
        report: measured scores of the model's two files.
        recipe: that was trained.
        exported: the model that was kept.
    """
    training, quick = recipe.training, exported.quick
    assert quick is not None  # it was asked for
    template = files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return template.format(
        megabytes=exported.bytes / 1e6,
        quick_megabytes=quick.bytes / 1e6,
        contexts=_contexts(report),
        differences=_differences(report),
        types=_types(report),
        mentions=_mentions(report["int8"]["twitter2017"][TEXT]),
        calibration=_calibration(report),
        seeds=_seeds(made, [found.name for found in splits]),
        kept=made.best.name,
        speed=_speed(report),
        data=_data(splits),
        window=recipe.limits.window,
        epochs=training.epochs,
        batch=training.batch,
        encoder_rate=training.encoder_rate,
        head_rate=training.head_rate,
        mlm=training.mlm_epochs,
        seen=training.context_share,
        averaged=training.averaged,
        count=len(made.seeds),
    )


def _contexts(report: Report) -> str:
    """F1 with its interval; the 8-bit file first."""
    sets = list(report["int8"])
    rows = []
    for context in report["int8"][sets[0]]:
        cells = [_f1(report["int8"][name][context]) for name in sets]
        others = [
            _percent(report["float32"][name][context].measured.evaluation.overall.f1) for name in sets
        ]
        rows.append([context, *cells, *others])
    return _table(["visual context", *sets, *(f"{name}, float32" for name in sets)], rows)


def _differences(report: Report) -> str:
    sets = list(report["int8"])
    rows = []
    for context in report["int8"][sets[0]]:
        found = [report["int8"][name][context].against_text for name in sets]
        if all(found):
            rows.append(
                [context, *(f"{100 * d.value:+.2f} ({_interval(d.interval, '+.2f')})" for d in found if d)]
            )
    return _table(["against the text view", *sets], rows)


def _types(report: Report) -> str:
    rows = []
    for entity in ENTITY_TYPES:
        cells = []
        for contexts in report["int8"].values():
            score = contexts[TEXT].measured.evaluation.by_type[entity]
            figures = " / ".join(map(_percent, (score.precision, score.recall, score.f1)))
            cells.append(f"{figures} ({_interval(contexts[TEXT].by_type[entity])})")
        rows.append([entity, *cells])
    return _table(["type", *report["int8"]], rows)


def _mentions(text_view: InContext) -> str:
    found = text_view.measured.evaluation
    parts = [("all", found.overall), ("without mentions", found.without_mentions)]
    if found.mentions is not None:
        parts.append(("mentions alone", found.mentions))
    rows = [
        [name, str(score.gold), _percent(score.precision), _percent(score.recall), _percent(score.f1)]
        for name, score in parts
    ]
    return _table(["entities", "gold", "precision", "recall", "F1"], rows)


def _calibration(report: Report) -> str:
    """Expected calibration error of entities, without anything seen and with captions."""
    rows = []
    for context in (TEXT, "captions"):
        found = [contexts[context].measured.entities for contexts in report["int8"].values()]
        rows.append([context, *("-" if one is None else f"{100 * one.error:.1f}" for one in found)])
    return _table(["calibration error, points", *report["int8"]], rows)


def _seeds(made: Candidates, sets: Sequence[str]) -> str:
    """Every candidate on dev and on the validation posts' text view and captions."""
    keys = [f"{name}/valid/{view}" for name in sets for view in ("text", "captions")]
    rows = [
        [
            candidate.name,
            f"{candidate.dev:.2f}",
            *(f"{candidate.trained.reported[key]:.2f}" for key in keys),
        ]
        for candidate in made.all
    ]
    spread = [made.over_seeds(key) for key in ("dev_f1", *keys)]
    cells = [f"{mean:.2f}" + ("" if sd is None else f" ± {sd:.2f}") for mean, sd in spread]
    rows.insert(len(made.seeds), ["mean ± deviation of the seeds", *cells])
    return _table(["model", "dev", *(key.replace("/valid/", ", ") for key in keys)], rows)


def _speed(report: Report) -> str:
    """How much faster the 8-bit file was, in the same run."""
    total = {
        precision: sum(
            found.measured.speed.seconds for contexts in by_set.values() for found in contexts.values()
        )
        for precision, by_set in report.items()
    }
    return f"{total['float32'] / total['int8']:.1f}"


def _data(splits: Sequence[Splits]) -> str:
    rows = [
        [found.name, *(str(len(posts)) for posts in (found.train, found.dev, found.reported["valid"]))]
        for found in splits
    ]
    return _table(["data set", "trained on", "cut out for choosing", "reported on"], rows)


def _f1(found: InContext) -> str:
    return f"{_percent(found.measured.evaluation.overall.f1)} ({_interval(found.interval)})"


def _interval(interval: Interval, form: str = ".1f") -> str:
    return f"{100 * interval.low:{form}} to {100 * interval.high:{form}}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
