"""What is measured: models, each without and with what was seen in the posts' pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from streamproc.entities import View
from streamproc.errors import InputError
from streamproc.fusion.api import FusionModel
from streamproc_mner.analysis.groups import Group
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.measuring import chosen_views, seen_in
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.evaluation.significance import Counts, counts_of
from streamproc_mner.evaluation.spans import JudgedPost, judge

Advance = Callable[[int], None]
"""Called with how many posts were tagged since it was last called."""

Begin = Callable[[int], Advance]
"""Called once, with how many posts will be tagged in all."""

SHORT: Final[Mapping[View, str]] = {"text": "T", "image+text": "I+T"}
"""Views as wang2022-ita writes them."""


@dataclass(frozen=True, slots=True)
class System:
    """The models of a group in one view."""

    name: str
    models: tuple[FusionModel, ...]
    view: View

    @property
    def label(self) -> str:
        """Its name and view, for plots and notes."""
        return f"{self.name} ({SHORT[self.view]})"


@dataclass(frozen=True, slots=True)
class Tagged:
    """n posts, and what of a system's entities of them is judged, for each of its models."""

    system: System
    posts: Sequence[LabelledPost]
    judged: Sequence[Sequence[JudgedPost]]


def systems_of(groups: Sequence[Group], data: LabelledFile, view: View | None) -> list[System]:
    """Groups in the view that is asked for, or in all that they have of the data.

    Raises:
        InputError: a model has no such view of the data, or the models of a group have different ones.
    """
    systems = []
    for group in groups:
        views = {
            tuple(chosen_views(loaded, seen_in(data.posts(loaded.model.widths)), view))
            for loaded in group.models
        }
        if len(views) > 1:
            raise InputError(
                f"{group.name}: its models have different views of {data.path}: give --view, or models "
                "that differ in their seed only"
            )
        models = tuple(loaded.model for loaded in group.models)
        systems += [System(group.name, models, name) for name in views.pop()]
    return systems


def tag_all(systems: Sequence[System], data: LabelledFile, begin: Begin) -> list[Tagged]:
    """Let each system tag all posts."""
    advance = begin(sum(len(data.posts(model.widths)) for system in systems for model in system.models))
    return [tag(system, lambda model: data.posts(model.widths), advance) for system in systems]


def tag(system: System, posts: Callable[[FusionModel], Sequence[LabelledPost]], advance: Advance) -> Tagged:
    """Let one system tag posts.

    Args:
        system: its models.
        posts: gives the posts as a model gets them, always the same in one order.
        advance: see `Advance`.
    """
    judged = []
    for model in system.models:
        given = posts(model)
        predicted = predict_posts(model, given, system.view, advance)
        spans = [[scored.span for scored in said.spans] for said in predicted]
        strays = [[scored.span for scored in said.strays] for said in predicted]
        judged.append(judge(given, spans, strays))
    return Tagged(system, posts(system.models[0]), judged)


def seeds_told(systems: Iterable[System]) -> tuple[str, ...]:
    """Of how many models scores are means, in a sentence; nothing where each is alone."""
    several = {system.name: len(system.models) for system in systems if len(system.models) > 1}
    told = ", ".join(f"{name} {count}" for name, count in several.items())
    return (f"Scores are means over models: {told}.",) if told else ()


def counts_of_models(judged: Sequence[Sequence[JudgedPost]]) -> Counts:
    """(s, n, 3) of s models and n posts."""
    return np.stack([counts_of(of_model) for of_model in judged])
