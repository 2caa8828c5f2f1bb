"""`streamproc evaluate`: a model over a file, in the views that it has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamproc.entities import View
from streamproc.fusion.api import Modality, Need
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.loading import LoadedModel
from streamproc_mner.evaluation.measuring import (
    Measured,
    chosen_views,
    measure,
    seen_in,
)
from streamproc_mner.evaluation.met_posts import MetAs, met_as, met_notes
from streamproc_mner.evaluation.significance import (
    RESAMPLES,
    Difference,
    Interval,
    bootstrap_interval,
    counts_of,
    paired_bootstrap,
)


@dataclass(frozen=True, slots=True)
class EvaluatedView:
    """A view with the interval of its F1."""

    measured: Measured
    interval: Interval


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What `streamproc evaluate` tells.

    Attributes:
        model: as it was asked for.
        version: of its weights, where it says.
        data: the file.
        posts: n, with gold entities.
        seen: of how many posts each modality was seen.
        views: measured ones, `text` first.
        difference: how much higher F1 is in the view with pictures; `None` where only one was measured.
        met: what the file was to the model's training.
        notes: what else is to be known, for people.
    """

    model: str
    version: str | None
    data: Path
    posts: list[LabelledPost]
    seen: dict[Modality, int]
    views: dict[View, EvaluatedView]
    difference: Difference | None
    met: MetAs | None
    notes: tuple[str, ...]


def evaluate(
    loaded: LoadedModel,
    data: LabelledFile,
    view: View | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluated:
    """Measure a model.

    Args:
        loaded: the model.
        data: labelled posts.
        view: the only one to measure; by default all that the model has of these posts.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        advance: called with how many posts were tagged since, and how many will be in all.

    Raises:
        InputError: the file cannot be read, has no entities, or the model has no such view of it.
    """
    posts = data.posts(loaded.model.widths)
    seen = seen_in(posts)
    names = chosen_views(loaded, seen, view)
    views: dict[View, EvaluatedView] = {}
    for name in names:
        measured = measure(loaded.model, posts, name, lambda done: advance(done, len(posts) * len(names)))
        interval = bootstrap_interval(counts_of(measured.judged), resamples, seed)
        views[name] = EvaluatedView(measured, interval)
    difference = None
    if len(views) == 2:
        text, both = (counts_of(views[name].measured.judged) for name in ("text", "image+text"))
        difference = paired_bootstrap(text, both, resamples, seed)
    met = met_as(loaded.folder, data.path)
    notes = notes_of(loaded, posts, [found.measured for found in views.values()])
    return Evaluated(
        model=loaded.name,
        version=loaded.model.model_version,
        data=data.path,
        posts=posts,
        seen=seen,
        views=views,
        difference=difference,
        met=met,
        notes=(*met_notes(loaded.name, data.path, met), *notes),
    )


def notes_of(loaded: LoadedModel, posts: Sequence[LabelledPost], measured: Sequence[Measured]) -> list[str]:
    """What people are told beside the figures.

    The model's own notice; types that it does not know, and types that it gives though the data have
    none of them; posts that it could not tag.
    """
    notice = [loaded.notice] if loaded.notice else []
    return [*notice, *_type_notes(loaded, posts, measured), *_untagged_notes(loaded, measured)]


def _type_notes(
    loaded: LoadedModel, posts: Sequence[LabelledPost], measured: Sequence[Measured]
) -> list[str]:
    gold = Counter(span.type for post in posts for span in post.spans)
    given: Counter[str] = Counter()
    for one in measured:
        own = Counter(span.type for post in one.judged for span in (*post.found, *post.strays))
        given |= own
    notes = []
    if loaded.types is not None and (unknown := sorted(set(gold) - set(loaded.types))):
        listed = ", ".join(f"{name} ({gold[name]})" for name in unknown)
        notes.append(
            f"{loaded.name} does not know {listed}: it knows {', '.join(loaded.types)}; these entities "
            "count as missed"
        )
    if lacking := sorted(set(given) - set(gold)):
        listed = ", ".join(f"{name} ({given[name]})" for name in lacking)
        notes.append(f"{loaded.name} gives {listed}, which the data do not have: they count as wrong")
    return notes


def _untagged_notes(loaded: LoadedModel, measured: Sequence[Measured]) -> list[str]:
    needed = ", ".join(m for m, need in loaded.model.modalities.items() if need is Need.REQUIRED)
    return [
        f"{loaded.name} needs {needed}: {one.untagged} of {len(one.judged)} posts lack it, and none of "
        "their entities is found"
        for one in measured
        if one.untagged
    ]
