"""The model card that `streamproc train` writes: how the model was made, and how good it was."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from streamproc_mner.training.claim import Wanted
from streamproc_mner.training.outcome import Trained
from streamproc_mner.training.splits import Splits


def model_card(wanted: Wanted, splits: Sequence[Splits], trained: Trained, *, calibrated: bool) -> str:
    """The card's text.

    Args:
        wanted: what was trained.
        splits: that it was trained on.
        trained: what came of it.
        calibrated: whether a temperature was fitted.
    """
    recipe, teachers = wanted.recipe, len(wanted.teachers)
    taught = f", taught by {teachers} other model{'s' * (teachers > 1)}" if teachers else ""
    scores = "are calibrated on the dev posts by one temperature" if calibrated else "are not calibrated"
    parts = [
        f"# {wanted.name}",
        f"{recipe.about[:1].upper()}{recipe.about[1:]} ({recipe.name}, {recipe.paper}), served by the "
        f"plugin `{recipe.plugin}`. Finds {', '.join(recipe.types)}.",
        "## Scores",
        "Span F1 in percent: borders and type must be right.",
        _scores(
            "dev (early stopping, choice of weights and calibration looked at these posts)", trained.dev
        ),
    ]
    if trained.reported:
        parts.append(_scores("reported (used for nothing else)", trained.reported))
    parts += [
        "## Made with",
        f"`streamproc train {shlex.quote(recipe.name)} --seed {wanted.seed}`{taught}, {trained.epochs} of "
        f"{recipe.training.epochs} epochs{' (stopped early by hand)' if trained.stopped else ''}; kept: "
        f"{trained.chosen}. All settings, encoder and teachers are in metrics.json.",
        _data(splits),
        "## Limits",
        "Measured on posts like those that it was trained on, with one seed. Other languages, times and "
        f"topics were not. Entity scores {scores}.",
    ]
    return "\n\n".join(parts) + "\n"


def _scores(title: str, scores: Mapping[str, float]) -> str:
    rows = [f"| {key} | {value:.2f} |" for key, value in scores.items() if "/" in key]
    return "\n".join([f"| {title} | F1 |", "| --- | ---: |", *rows])


def _data(splits: Sequence[Splits]) -> str:
    rows = [
        f"| {found.name} | {len(found.train)} | {len(found.dev)} | "
        f"{', '.join(f'{name} {len(posts)}' for name, posts in found.reported.items()) or '-'} |"
        for found in splits
    ]
    return "\n".join(
        ["| data | trained on | chosen by | reported on |", "| --- | ---: | ---: | --- |", *rows]
    )
