"""What a served model says of labelled posts, over their words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from streamproc.entities import View
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Tagging
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.decoding import ScoredSpan
from streamproc_mner.labels import Span

_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Predicted:
    """A model's entities of one post.

    Attributes:
        spans: over the post's words, with the probability that the model gives them.
        strays: entities whose borders are no words' borders, by type: they cannot be right.
        confidence: of each token's label, as many as the model has tokens.
        uncertainty: of the post, 0 to 1.
    """

    spans: tuple[ScoredSpan, ...]
    strays: tuple[str, ...]
    confidence: tuple[float, ...]
    uncertainty: float


def predict_posts(
    model: FusionModel,
    posts: Sequence[LabelledPost],
    view: View,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Predicted]:
    """Tag labelled posts as the stream would.

    Args:
        model: of any plugin.
        posts: n posts.
        view: `text`: without what was seen in their pictures.
        advance: called with how many posts were done since it was last called.
    """
    found = []
    for start in range(0, len(posts), _BATCH):
        chosen = posts[start : start + _BATCH]
        taggings = model.tag([_input(model, post, view) for post in chosen])
        found += [_over_words(post, tagging) for post, tagging in zip(chosen, taggings, strict=True)]
        advance(len(chosen))
    return found


def _input(model: FusionModel, post: LabelledPost, view: View) -> FusionInput:
    """A post with an entry for each modality of the model, as the stream gives it."""
    given = post.as_input(view)
    visuals = {m: given.visuals.get(m, Missing("absent")) for m in model.modalities}
    return replace(given, visuals=visuals)


def _over_words(post: LabelledPost, tagging: Tagging) -> Predicted:
    starts = {word.start: index for index, word in enumerate(post.words)}
    ends = {word.end: index for index, word in enumerate(post.words, start=1)}
    spans, strays = [], []
    for entity in tagging.entities:
        if entity.start in starts and entity.end in ends:
            span = Span(starts[entity.start], ends[entity.end], entity.type)
            spans.append(ScoredSpan(span, entity.score))
        else:
            strays.append(entity.type)
    return Predicted(tuple(spans), tuple(strays), tagging.confidence, tagging.uncertainty)
