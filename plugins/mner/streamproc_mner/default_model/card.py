"""The model card of the default model, its figures filled in as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from streamproc_mner.evaluation.spans import Evaluation
from streamproc_mner.labels import ENTITY_TYPES
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.training.splits import Splits

_TEMPLATE: Final = "card.md"


def model_card(
    splits: Sequence[Splits],
    valid: Mapping[str, Mapping[str, Evaluation]],
    recipe: Recipe,
    seed: int,
    size: int,
) -> str:
    """The card's text.

    Args:
        splits: of the data sets, for their sizes.
        valid: measured scores by data set and visual context.
        recipe: that was trained.
        seed: of the run.
        size: of the weight file, in bytes.
    """
    training = recipe.training
    template = files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return template.format(
        megabytes=size / 1e6,
        contexts=_contexts(valid),
        types=_types(valid),
        mentions=_mentions(valid["twitter2017"]["none"]),
        data=_data(splits),
        window=recipe.limits.window,
        epochs=training.epochs,
        batch=training.batch,
        encoder_rate=training.encoder_rate,
        head_rate=training.head_rate,
        seed=seed,
        seen=training.context_share,
        averaged=training.averaged,
    )


def _contexts(valid: Mapping[str, Mapping[str, Evaluation]]) -> str:
    names = list(valid)
    rows = [
        [context, *(_percent(valid[name][context].overall.f1) for name in names)]
        for context in valid[names[0]]
    ]
    return _table(["visual context", *names], rows)


def _types(valid: Mapping[str, Mapping[str, Evaluation]]) -> str:
    rows = []
    for entity in ENTITY_TYPES:
        scores = [by_context["none"].by_type[entity] for by_context in valid.values()]
        cells = [" / ".join(map(_percent, (score.precision, score.recall, score.f1))) for score in scores]
        rows.append([entity, *cells])
    return _table(["type", *valid], rows)


def _mentions(text_view: Evaluation) -> str:
    parts = [("all", text_view.overall), ("without mentions", text_view.without_mentions)]
    if text_view.mentions is not None:
        parts.append(("mentions alone", text_view.mentions))
    rows = [
        [name, str(score.gold), _percent(score.precision), _percent(score.recall), _percent(score.f1)]
        for name, score in parts
    ]
    return _table(["entities", "gold", "precision", "recall", "F1"], rows)


def _data(splits: Sequence[Splits]) -> str:
    rows = [
        [found.name, *(str(len(posts)) for posts in (found.train, found.dev, found.reported["valid"]))]
        for found in splits
    ]
    return _table(["data set", "trained on", "cut out for choosing", "reported on"], rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
