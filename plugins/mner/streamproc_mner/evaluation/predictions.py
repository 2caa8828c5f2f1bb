"""What a served model says of labelled posts, over their words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from streamproc.entities import Entity, View
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Modality, Need, Tagging
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.decoding import ScoredSpan
from streamproc_mner.labels import Span

_BATCH: Final = 256
_NOTHING: Final = Tagging((), (), uncertainty=1.0)


@dataclass(frozen=True, slots=True)
class Predicted:
    """A model's entities of one post.

    Attributes:
        spans: over the post's words, with the probability that the model gives them.
        strays: entities whose borders are no words' borders, over the words that they touch: they
            cannot be right.
        confidence: of each token's label, as many as the model has tokens.
        uncertainty: of the post, 0 to 1.
    """

    spans: tuple[ScoredSpan, ...]
    strays: tuple[ScoredSpan, ...]
    confidence: tuple[float, ...]
    uncertainty: float


def predict_posts(
    model: FusionModel,
    posts: Sequence[LabelledPost],
    view: View,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Predicted]:
    """Tag labelled posts as the stream would: a post that lacks what the model needs has no entities.

    Args:
        model: of any plugin.
        posts: n posts.
        view: `text`: without what was seen in their pictures.
        advance: called with how many posts were done since it was last called.
    """
    found = []
    for start in range(0, len(posts), _BATCH):
        chosen = posts[start : start + _BATCH]
        inputs = [input_of(model, post, view) for post in chosen]
        able = [index for index, given in enumerate(inputs) if not lacks(model, given)]
        taggings = dict(zip(able, model.tag([inputs[index] for index in able]), strict=True))
        found += [_over_words(post, taggings.get(index, _NOTHING)) for index, post in enumerate(chosen)]
        advance(len(chosen))
    return found


def lacks(model: FusionModel, post: FusionInput) -> tuple[Modality, ...]:
    """The modalities that a model needs and a post does not have."""
    required = (modality for modality, need in model.modalities.items() if need is Need.REQUIRED)
    return tuple(modality for modality in required if isinstance(post.visuals.get(modality), Missing))


def input_of(model: FusionModel, post: LabelledPost, view: View) -> FusionInput:
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
            strays.append(ScoredSpan(_touched(post, entity), entity.score))
    return Predicted(tuple(spans), tuple(strays), tagging.confidence, tagging.uncertainty)


def _touched(post: LabelledPost, entity: Entity) -> Span:
    """The words that an entity touches; none for one that lies between words."""
    start = sum(word.end <= entity.start for word in post.words)
    end = sum(word.start < entity.end for word in post.words)
    return Span(start, max(start, end), entity.type)
