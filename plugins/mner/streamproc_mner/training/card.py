"""The model card that `streamproc train` writes: how the model was made, and how good it was."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.training.outcome import Trained
from streamproc_mner.training.splits import Splits


def model_card(recipe: Recipe, name: str, splits: Sequence[Splits], trained: Trained, seed: int) -> str:
    """The card's text.

    Args:
        recipe: that was trained, with its changes.
        name: of the model.
        splits: that it was trained on.
        trained: what came of it.
        seed: of the run.
    """
    parts = [
        f"# {name}",
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
        f"`streamproc train {shlex.quote(recipe.name)} --seed {seed}`, {trained.epochs} of "
        f"{recipe.training.epochs} epochs{' (stopped early by hand)' if trained.stopped else ''}; kept: "
        f"{trained.chosen}. All settings are in metrics.json.",
        _data(splits),
        "## Limits",
        "Measured on posts like those that it was trained on, with one seed. Other languages, times and "
        "topics were not. Entity scores are calibrated on the dev posts by one temperature.",
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
