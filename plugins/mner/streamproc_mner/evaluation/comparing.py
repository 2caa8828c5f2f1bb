"""`streamproc compare`: models, or groups of seeds, side by side over the same posts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.entities import View
from streamproc.errors import InputError, SettingsError
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.evaluating import notes_of
from streamproc_mner.evaluation.loading import LoadedModel, load_model
from streamproc_mner.evaluation.measuring import Measured, chosen_views, measure, seen_in
from streamproc_mner.evaluation.met_posts import MetAs, met_as, met_notes
from streamproc_mner.evaluation.significance import (
    RESAMPLES,
    Counts,
    Difference,
    Interval,
    bootstrap_interval,
    counts_of,
    mcnemar,
    paired_bootstrap,
    paired_t_test,
)
from streamproc_mner.labels import Span

PlacedSpan = tuple[int, Span]
"""A gold entity: the index of its post, and where it is in that post."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model, or several that differ in their seed only: what to load, and what to call it."""

    name: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Runs:
    """A contestant, measured.

    Attributes:
        name: of the contestant.
        view: in which its models were measured.
        measured: of each of its models.
        interval: of its F1, or of its models' mean F1.
        met: what the file was to its models' training, of each of them.
    """

    name: str
    view: View
    measured: tuple[Measured, ...]
    interval: Interval
    met: tuple[MetAs | None, ...] = ()

    @cached_property
    def counts(self) -> Counts:
        """(s, n, 3) of s models and n posts."""
        return np.stack([counts_of(one.judged) for one in self.measured])

    @property
    def f1s(self) -> list[float]:
        """Of each model."""
        return [one.evaluation.overall.f1 for one in self.measured]

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation of F1 over seeds; `None` for a single model."""
        return statistics.stdev(self.f1s) if len(self.measured) > 1 else None

    def f1_of_type(self, name: str) -> float:
        """The mean over its models of one type's F1; 0 for one that gives none."""
        scores = [one.evaluation.by_type.get(name) for one in self.measured]
        return statistics.mean(score.f1 if score is not None else 0.0 for score in scores)

    @cached_property
    def correct(self) -> frozenset[PlacedSpan]:
        """Gold entities that most of its models find."""
        votes: dict[PlacedSpan, int] = {}
        for one in self.measured:
            for index, post in enumerate(one.judged):
                for span in post.correct:
                    votes[index, span] = votes.get((index, span), 0) + 1
        return frozenset(entity for entity, count in votes.items() if 2 * count > len(self.measured))


@dataclass(frozen=True, slots=True)
class Against:
    """One contestant against the base.

    Attributes:
        runs: the contestant.
        difference: how much higher its F1 is.
        fixed: gold entities that the base gets wrong and it gets right (yu2020-umt fig. 3).
        broken: gold entities that the base gets right and it gets wrong (yu2020-umt fig. 4).
        mcnemar: p of these two counts.
        t_test: p over seeds; `None` where it cannot be told.
    """

    runs: Runs
    difference: Difference
    fixed: tuple[PlacedSpan, ...]
    broken: tuple[PlacedSpan, ...]
    mcnemar: float
    t_test: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `streamproc compare` tells.

    Attributes:
        data: the file.
        posts: n, with gold entities.
        base: the contestant that the others are compared with.
        runs: all contestants, in the order in which they were given.
        against: all but the base.
        notes: what else is to be known, for people.
    """

    data: Path
    posts: list[LabelledPost]
    base: Runs
    runs: tuple[Runs, ...]
    against: tuple[Against, ...]
    notes: tuple[str, ...]


def contestants(arguments: Sequence[str]) -> list[Contestant]:
    """Contestants as they are given: a model's name or folder, or `NAME=FOLDER,FOLDER,...`.

    Raises:
        SettingsError: fewer than two, two of one name, or a group without models.
    """
    found = [_contestant(argument) for argument in arguments]
    names = [one.name for one in found]
    if len(found) < 2:
        raise SettingsError("compare: give two models or more, or groups of seeds: NAME=FOLDER,FOLDER,...")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"compare: {twice[0]} is given twice: name one of them otherwise: NAME=MODEL")
    return found


def compare(
    chosen: Sequence[Contestant],
    data: LabelledFile,
    view: View | None = None,
    *,
    base: str | None = None,
    device: str = "cpu",
    config: Mapping[str, Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Measure all contestants over the same posts and compare each with the base.

    Args:
        chosen: two or more.
        data: labelled posts.
        view: of all of them; by default each one's richest: `image+text` where it has one.
        base: a contestant's name; by default the first one.
        device: of the models.
        config: of the models' plugins.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        advance: called with how many posts were tagged since, and how many will be in all.

    Raises:
        PluginError: a model cannot be loaded.
        SettingsError: there is no such base, or scipy is missing and there are groups.
        InputError: the file cannot be read, has no entities, or a model has no such view of it.
    """
    names = [one.name for one in chosen]
    if base is not None and base not in names:
        raise SettingsError(f"--base {base}: expected one of {', '.join(names)}")
    if find_spec("scipy") is None and any(len(one.models) > 1 for one in chosen):
        raise SettingsError("compare: groups of seeds need scipy: pip install 'streamproc-mner[train]'")
    models = sum(len(one.models) for one in chosen)
    notes: dict[str, None] = {}
    runs: list[Runs] = []
    posts: list[LabelledPost] = []
    for one in chosen:
        measured: list[Measured] = []
        met: list[MetAs | None] = []
        for name in one.models:
            loaded = load_model(name, device, config)
            posts = data.posts(loaded.model.widths)
            found = _measure(loaded, posts, view, models * len(posts), advance)
            loaded.model.close()
            met.append(met_as(loaded.folder, data.path))
            notes |= dict.fromkeys(met_notes(name, data.path, met[-1]))
            notes |= dict.fromkeys(notes_of(loaded, posts, [found]))
            measured.append(found)
        runs.append(_runs(one, measured, met, resamples, seed))
    first = runs[names.index(base) if base is not None else 0]
    against = tuple(_against(first, other, resamples, seed) for other in runs if other is not first)
    return Comparison(data.path, posts, first, tuple(runs), against, tuple(notes))


def _contestant(argument: str) -> Contestant:
    name, equals, listed = argument.partition("=")
    if not equals or Path(argument).exists():
        return Contestant(argument, (argument,))
    models = tuple(part for part in listed.split(",") if part)
    if not name or not models:
        raise SettingsError(f"compare: {argument}: expected NAME=MODEL,MODEL,...")
    return Contestant(name, models)


def _measure(
    loaded: LoadedModel,
    posts: Sequence[LabelledPost],
    view: View | None,
    total: int,
    advance: Callable[[int, int], None],
) -> Measured:
    richest = chosen_views(loaded, seen_in(posts), view)[-1]
    return measure(loaded.model, posts, richest, lambda done: advance(done, total))


def _runs(
    one: Contestant,
    measured: Sequence[Measured],
    met: Sequence[MetAs | None],
    resamples: int,
    seed: int,
) -> Runs:
    views = {found.view for found in measured}
    if len(views) > 1:
        raise InputError(
            f"{one.name}: its models have different views of these posts: give --view text, or models that "
            "differ in their seed only"
        )
    counts = np.stack([counts_of(found.judged) for found in measured])
    interval = bootstrap_interval(counts, resamples, seed)
    return Runs(one.name, views.pop(), tuple(measured), interval, tuple(met))


def _against(base: Runs, other: Runs, resamples: int, seed: int) -> Against:
    fixed, broken = other.correct - base.correct, base.correct - other.correct
    paired = len(base.f1s) == len(other.f1s)
    return Against(
        runs=other,
        difference=paired_bootstrap(base.counts, other.counts, resamples, seed),
        fixed=tuple(sorted(fixed, key=_place)),
        broken=tuple(sorted(broken, key=_place)),
        mcnemar=mcnemar(len(fixed), len(broken)),
        t_test=paired_t_test(base.f1s, other.f1s) if paired else None,
    )


def _place(entity: PlacedSpan) -> tuple[int, int, int, str]:
    index, span = entity
    return index, span.start, span.end, span.type
