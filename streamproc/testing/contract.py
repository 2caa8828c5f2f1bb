"""The contract suite: what every plugin must keep, as checks that anyone can run.

From a command: `streamproc plugins check NAME`. From a plugin's own tests:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(model)
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from streamproc.fusion.api import FusionInput, FusionModel, Need, Tagging
from streamproc.fusion.discovery import LoadedPlugin
from streamproc.fusion.explanations import explanation_fault
from streamproc.testing.visuals import example_value
from streamproc.vision.visuals import Missing, Modality, Seen, Visual

TOLERANCE: Final = 1e-4
"""How far a score may move with the batch that a post is in."""

TEXTS: Final = (
    "Paris",
    "Kevin Durant visits Oracle Arena in Oakland tonight",
    "no names in here, just a quiet afternoon",
    "RT @NASA: Launch from Cape Canaveral at 7:30 🚀 #Artemis https://example.org/a",
    "👩‍👩‍👧‍👦🎉🎉🏳️‍🌈",
    "東京タワーの前で写真を撮った",
    "Zürich–München, l'Élysée & St. John's; e\u0301 is not é",
    "#" * 40,
    "\u200b\u200d",
    "word " * 150 + "in Nairobi",
    "$NVDA up 4 %, call +1 202 555 0100 or mail ada@example.org before 2026-11-01",
)
"""A word, names, none, signs, emoji alone, another script, accents, signs, nothing, 150 words, numbers."""


class ContractBroken(AssertionError):
    """A plugin does something that the contract forbids."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check and, where it failed, what was wrong."""

    check: str
    fault: str | None
    note: str = ""


def _seen(model: FusionModel, modality: Modality) -> Seen:
    return Seen((example_value(modality, width=model.widths.get(modality)),))


def _visuals(model: FusionModel, make: Callable[[Modality], Visual]) -> dict[Modality, Visual]:
    return {
        modality: _seen(model, modality) if need is Need.REQUIRED else make(modality)
        for modality, need in model.modalities.items()
    }


def _inputs(model: FusionModel, texts: Sequence[str]) -> list[FusionInput]:
    """Posts that differ in what was seen: everything, nothing, nothing to be had, in turn."""
    kinds: tuple[Callable[[Modality], Visual], ...] = (
        lambda modality: _seen(model, modality),
        lambda _: Missing("absent"),
        lambda _: Missing("unavailable", "fetch failed"),
        lambda _: Missing("skipped", "look = never"),
    )
    return [
        FusionInput(text, ("en",), _visuals(model, kinds[i % len(kinds)])) for i, text in enumerate(texts)
    ]


def an_empty_batch_gives_an_empty_list(model: FusionModel) -> None:
    """No posts, no taggings."""
    if model.tag([]) != []:
        raise ContractBroken("tag([]) is not []")


def offsets_give_the_entity_text(model: FusionModel) -> None:
    """Spans are code points of the text, in order, without overlap; scores lie in 0 to 1."""
    for post, tagging in zip(_inputs(model, TEXTS), model.tag(_inputs(model, TEXTS)), strict=True):
        end = 0
        for entity in tagging.entities:
            if post.text[entity.start : entity.end] != entity.text or not entity.text:
                raise ContractBroken(f"{entity} does not stand at its offsets in {post.text!r}")
            if entity.start < end:
                raise ContractBroken(f"{entity} overlaps the one before it in {post.text!r}")
            if not 0.0 <= entity.score <= 1.0 or not entity.type:
                raise ContractBroken(f"{entity}: expected a type and a score from 0 to 1")
            end = entity.end


def confidence_and_uncertainty_are_probabilities(model: FusionModel) -> None:
    """A finite confidence from 0 to 1 for each token, and one uncertainty a post."""
    for post, tagging in zip(TEXTS, model.tag(_inputs(model, TEXTS)), strict=True):
        values = np.array([*tagging.confidence, tagging.uncertainty], dtype=float)
        if not np.isfinite(values).all() or (values < 0).any() or (values > 1).any():
            raise ContractBroken(f"confidence or uncertainty outside 0 to 1 for {post!r}")


def a_post_is_tagged_the_same_alone_and_in_any_batch(model: FusionModel) -> None:
    """Entities are equal, scores to 1e-4, alone, in a batch, and in the batch turned round."""
    posts = _inputs(model, TEXTS)
    together = model.tag(posts)
    turned = model.tag(posts[::-1])[::-1]
    for index, post in enumerate(posts):
        alone = model.tag([post])[0]
        for other, where in ((together[index], "in a batch"), (turned[index], "in the batch turned round")):
            _same(alone, other, f"{post.text[:40]!r} alone and {where}")


def _same(one: Tagging, other: Tagging, what: str) -> None:
    spans = [[(e.start, e.end, e.type) for e in tagging.entities] for tagging in (one, other)]
    if spans[0] != spans[1]:
        raise ContractBroken(f"{what}: entities differ, {spans[0]} and {spans[1]}")
    scores = [
        np.array([*(e.score for e in t.entities), *t.confidence, t.uncertainty]) for t in (one, other)
    ]
    if scores[0].shape != scores[1].shape or np.abs(scores[0] - scores[1]).max() > TOLERANCE:
        raise ContractBroken(f"{what}: scores differ by more than {TOLERANCE}")


def a_missing_modality_is_data(model: FusionModel) -> None:
    """Absent, unavailable and skipped visuals are served without an error."""
    kinds: tuple[Missing, ...] = (
        Missing("absent"),
        Missing("unavailable", "timed out"),
        Missing("skipped", "certain"),
    )
    for missing in kinds:
        model.tag([FusionInput(TEXTS[1], (), _visuals(model, lambda _, m=missing: m))])  # type: ignore[misc]


def long_posts_and_many_emoji_are_tagged(model: FusionModel) -> None:
    """A post longer than any encoder takes is tagged to its end."""
    texts = ["😀" * 10_000, "Angela Merkel met Obama in Berlin. " * 100]
    posts = [FusionInput(text, (), _visuals(model, lambda _: Missing("absent"))) for text in texts]
    if len(model.tag(posts)) != len(posts):
        raise ContractBroken("a long post has no tagging")


def an_explained_post_is_tagged_the_same(model: FusionModel) -> None:
    """`explain` gives the entities and scores of `tag`, and explanations that are well formed."""
    posts = _inputs(model, TEXTS)
    for post, tagged, told in zip(posts, model.tag(posts), model.explain(posts), strict=True):
        _same(tagged, told, f"{post.text[:40]!r} tagged and explained")
        if told.explanation is not None and (fault := explanation_fault(post.text, told.explanation)):
            raise ContractBroken(f"{post.text[:40]!r}: {fault}")


def inputs_and_taggings_can_cross_a_process_border(model: FusionModel) -> None:
    """What goes in and comes out can be pickled and is then the same."""
    posts = _inputs(model, TEXTS[:4])
    for value in (posts[1], *model.tag(posts), *model.explain(posts)):
        copy: Any = pickle.loads(pickle.dumps(value))
        if isinstance(value, Tagging) and copy != value:
            raise ContractBroken("a tagging changes when it is pickled")


CHECKS: Final[tuple[Callable[[FusionModel], None], ...]] = (
    an_empty_batch_gives_an_empty_list,
    offsets_give_the_entity_text,
    confidence_and_uncertainty_are_probabilities,
    a_post_is_tagged_the_same_alone_and_in_any_batch,
    a_missing_modality_is_data,
    long_posts_and_many_emoji_are_tagged,
    an_explained_post_is_tagged_the_same,
    inputs_and_taggings_can_cross_a_process_border,
)


def run_contract(loaded: LoadedPlugin) -> list[Outcome]:
    """Run every check against a loaded plugin.

    Returns:
        One outcome a check, in the order of `CHECKS`.
    """
    outcomes = []
    for check in CHECKS:
        fault = None
        try:
            check(loaded.model)
        except ContractBroken as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is the outcome of its check
            where = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"raised {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        outcomes.append(Outcome(check.__name__.replace("_", " "), fault))
    if not any(outcome.fault for outcome in outcomes) and not _finds_anything(loaded.model):
        note = "but the plugin found no entity in any of the suite's posts, so none was looked at"
        outcomes = [replace(o, note=note) if o.check.startswith("offsets") else o for o in outcomes]
    return outcomes


def _finds_anything(model: FusionModel) -> bool:
    return any(tagging.entities for tagging in model.tag(_inputs(model, TEXTS)))
