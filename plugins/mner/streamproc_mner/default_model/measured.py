"""What the finished default model scores on the validation posts, file by file, context by context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from streamproc.entities import View
from streamproc_mner.evaluation.contexts import in_contexts
from streamproc_mner.evaluation.measuring import Measured, measure
from streamproc_mner.evaluation.significance import (
    Counts,
    Difference,
    Interval,
    bootstrap_interval,
    counts_of,
    paired_bootstrap,
)
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.training.splits import Splits

Precision = Literal["float32", "int8"]
PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "int8")
TEXT: Final = "none"
"""The context of the text view."""


@dataclass(frozen=True, slots=True)
class InContext:
    """One weight file on one data set's validation posts in one visual context.

    Attributes:
        measured: everything.
        interval: of its F1.
        against_text: how much more than the text view it scores; `None` for the text view itself.
        by_type: intervals of the types' F1.
    """

    measured: Measured
    interval: Interval
    against_text: Difference | None
    by_type: Mapping[str, Interval]

    def summary(self) -> dict[str, Any]:
        """For `metrics.json`; shares in percent."""
        entities = self.measured.entities
        told: dict[str, Any] = {
            **self.measured.evaluation.summary(),
            "interval": _percent(self.interval),
            "calibration_error": None if entities is None else round(100 * entities.error, 2),
        }
        if self.against_text is not None:
            told["against_text"] = {
                "f1": round(100 * self.against_text.value, 2),
                "interval": _percent(self.against_text.interval),
                "p": round(self.against_text.p, 4),
            }
        return told


Report = Mapping[Precision, Mapping[str, Mapping[str, InContext]]]
"""By weight file, data set and visual context."""


def report_of(folder: Path, splits: Sequence[Splits]) -> Report:
    """Measure both weight files of an exported model as the stream is served."""
    report: dict[Precision, dict[str, dict[str, InContext]]] = {}
    for precision in PRECISIONS:
        model = OnnxTagger(OnnxTaggerConfig(precision=precision)).load(folder, "cpu")
        report[precision] = {}
        for found in splits:
            views: dict[str, Measured] = {}
            for name, posts in in_contexts(found.reported["valid"]).items():
                view: View = "text" if name == TEXT else "image+text"
                views[name] = measure(model, posts, view)
            report[precision][found.name] = _with_intervals(views)
    return report


def summary_of(report: Report) -> dict[str, Any]:
    """For `metrics.json`."""
    return {
        precision: {
            name: {context: found.summary() for context, found in contexts.items()}
            for name, contexts in by_set.items()
        }
        for precision, by_set in report.items()
    }


def _with_intervals(views: Mapping[str, Measured]) -> dict[str, InContext]:
    counts = {name: counts_of(measured.judged) for name, measured in views.items()}
    return {
        name: InContext(
            measured,
            bootstrap_interval(counts[name]),
            None if name == TEXT else paired_bootstrap(counts[TEXT], counts[name]),
            {kind: bootstrap_interval(_of_type(measured, kind)) for kind in measured.evaluation.by_type},
        )
        for name, measured in views.items()
    }


def _of_type(measured: Measured, kind: str) -> Counts:
    return counts_of([post.only(lambda span: span.type == kind) for post in measured.judged])


def _percent(interval: Interval) -> tuple[float, float]:
    return round(100 * interval.low, 2), round(100 * interval.high, 2)
