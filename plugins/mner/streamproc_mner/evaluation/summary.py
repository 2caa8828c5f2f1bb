"""What was measured, as JSON: F1 and the like in per cent, probabilities and calibration from 0 to 1."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import Any

from streamproc_mner.evaluation.calibration_error import Reliability
from streamproc_mner.evaluation.comparing import Against, Comparison, Runs
from streamproc_mner.evaluation.evaluating import Evaluated, EvaluatedView
from streamproc_mner.evaluation.examples import examples
from streamproc_mner.evaluation.measuring import Speed
from streamproc_mner.evaluation.significance import Difference, Interval


def evaluated_summary(evaluated: Evaluated) -> dict[str, Any]:
    """For `evaluate --json`."""
    posts = evaluated.posts
    return {
        "model": evaluated.model,
        "model_version": evaluated.version,
        "data": str(evaluated.data),
        "posts": len(posts),
        "words": sum(len(post.words) for post in posts),
        "seen": dict(sorted(evaluated.seen.items())),
        "views": {name: view_summary(found) for name, found in evaluated.views.items()},
        "difference": difference_summary(evaluated.difference) if evaluated.difference else None,
        "met_in_training": evaluated.met,
        "notes": list(evaluated.notes),
    }


def view_summary(found: EvaluatedView) -> dict[str, Any]:
    """One view of a model."""
    measured = found.measured
    return {
        **measured.evaluation.summary(),
        "f1_interval": interval_summary(found.interval),
        "strays": sum(len(post.strays) for post in measured.judged),
        "token_accuracy": percent(measured.token_accuracy),
        "calibration": {
            "entities": reliability_summary(measured.entities),
            "tokens": reliability_summary(measured.tokens),
        },
        "untagged_posts": measured.untagged,
        "speed": speed_summary(measured.speed),
    }


def comparison_summary(comparison: Comparison, show: int) -> dict[str, Any]:
    """For `compare --json`.

    Args:
        comparison: what was compared.
        show: how many entities of each kind are told, that were fixed and that were broken.
    """
    return {
        "data": str(comparison.data),
        "posts": len(comparison.posts),
        "base": comparison.base.name,
        "models": {runs.name: runs_summary(runs) for runs in comparison.runs},
        "against_base": {
            against.runs.name: against_summary(comparison, against, show) for against in comparison.against
        },
        "notes": list(comparison.notes),
    }


def runs_summary(runs: Runs) -> dict[str, Any]:
    """One contestant: means over its seeds."""
    overall = [one.evaluation.overall for one in runs.measured]
    types = sorted({name for one in runs.measured for name in one.evaluation.by_type})
    return {
        "view": runs.view,
        "precision": percent(statistics.mean(score.precision for score in overall)),
        "recall": percent(statistics.mean(score.recall for score in overall)),
        "f1": percent(statistics.mean(runs.f1s)),
        "f1_interval": interval_summary(runs.interval),
        "f1_of_seeds": [percent(f1) for f1 in runs.f1s],
        "f1_deviation": None if runs.deviation is None else percent(runs.deviation),
        "f1_by_type": {name: percent(runs.f1_of_type(name)) for name in types},
        "f1_segmentation": percent(
            statistics.mean(one.evaluation.segmentation.f1 for one in runs.measured)
        ),
        "met_in_training": list(runs.met),
        "speed": speed_summary(runs.measured[0].speed),
    }


def against_summary(comparison: Comparison, against: Against, show: int) -> dict[str, Any]:
    """One contestant against the base."""
    shown = examples(comparison.posts, comparison.base, against, show)
    return {
        "difference": difference_summary(against.difference),
        "fixed": len(against.fixed),
        "broken": len(against.broken),
        "p_mcnemar": round(against.mcnemar, 4),
        "p_t_test": None if against.t_test is None else round(against.t_test, 4),
        **({"examples": [asdict(example) for example in shown]} if show else {}),
    }


def difference_summary(difference: Difference) -> dict[str, Any]:
    """A difference of F1, in points."""
    return {
        "f1": percent(difference.value),
        "interval": interval_summary(difference.interval),
        "p": round(difference.p, 4),
    }


def interval_summary(interval: Interval) -> list[float]:
    """In per cent, low and high."""
    return [percent(interval.low), percent(interval.high)]


def reliability_summary(found: Reliability | None) -> dict[str, Any] | None:
    """Calibration and its bins, as shares."""
    if found is None:
        return None
    bins = [
        {
            "above": one.low,
            "to": one.high,
            "count": one.count,
            "confidence": round(one.confidence, 4),
            "accuracy": round(one.accuracy, 4),
        }
        for one in found.bins
    ]
    return {"error": round(found.error, 4), "count": found.count, "bins": bins}


def speed_summary(speed: Speed) -> dict[str, float]:
    """On this machine."""
    return {
        "posts_per_second": round(speed.posts_per_second, 1),
        "words_per_second": round(speed.words_per_second, 1),
    }


def percent(share: float) -> float:
    """With two decimals."""
    return round(100 * share, 2)
