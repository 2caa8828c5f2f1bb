"""One model over one file of labelled posts, in one view: everything that is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streamproc.entities import View
from streamproc.errors import InputError
from streamproc.fusion.api import FusionInput, FusionModel, Modality, Need, Seen, Tagging
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.calibration_error import Reliability, reliability
from streamproc_mner.evaluation.loading import LoadedModel
from streamproc_mner.evaluation.predictions import Predicted, input_of, lacks, predict_posts
from streamproc_mner.evaluation.spans import Evaluation, JudgedPost, evaluate_spans, judge
from streamproc_mner.evaluation.token_labels import judged_words

VIEWS: Final[tuple[View, ...]] = ("text", "image+text")

_WARM_UP: Final = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model tagged, on this machine, after a warm-up; reading of files is not in it."""

    posts: int
    words: int
    seconds: float

    @property
    def posts_per_second(self) -> float:
        """Posts a second."""
        return self.posts / self.seconds if self.seconds else 0.0

    @property
    def words_per_second(self) -> float:
        """Words a second."""
        return self.words / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A model in one view.

    Attributes:
        view: what the model was given.
        predicted: of each post.
        judged: of each post.
        evaluation: scores of entities.
        token_accuracy: share of the words whose BIO label is right.
        entities: calibration of the entities' scores; `None` where none was predicted.
        tokens: calibration of the words' confidences; `None` where the model's tokens are not the
            words of the data.
        untagged: posts that lack what the model needs, and have no entities for that.
        speed: of the tagging.
    """

    view: View
    predicted: list[Predicted]
    judged: list[JudgedPost]
    evaluation: Evaluation
    token_accuracy: float
    entities: Reliability | None
    tokens: Reliability | None
    untagged: int
    speed: Speed


def seen_in(posts: Sequence[LabelledPost]) -> dict[Modality, int]:
    """Of how many posts each modality was seen."""
    counted: dict[Modality, int] = {}
    for post in posts:
        for modality in post.visuals:
            if isinstance(post.visuals[modality], Seen):
                counted[modality] = counted.get(modality, 0) + 1
    return counted


def usable_views(model: FusionModel, seen: Mapping[Modality, int]) -> list[View]:
    """The views that a model has of these posts, `text` first."""
    views: list[View] = []
    if Need.REQUIRED not in model.modalities.values():
        views.append("text")
    if any(seen.get(modality) for modality in model.modalities):
        views.append("image+text")
    return views


def chosen_views(loaded: LoadedModel, seen: Mapping[Modality, int], asked: View | None) -> list[View]:
    """The views to measure: the one that was asked for, or all that there are.

    Raises:
        InputError: the model has no such view of these posts; says why.
    """
    usable = usable_views(loaded.model, seen)
    if asked is None and usable:
        return usable
    if asked in usable:
        return [asked]
    reads = ", ".join(loaded.model.modalities) or "nothing"
    there = ", ".join(seen) or "nothing"
    if asked == "text":
        raise InputError(f"{loaded.name} has no text view: it needs what was seen in pictures ({reads})")
    raise InputError(
        f"{loaded.name} has no image+text view of these posts: of pictures it reads {reads}, and the data "
        f"have {there}; --pictures adds what `streamproc extract` saw"
    )


def measure(
    model: FusionModel,
    posts: Sequence[LabelledPost],
    view: View,
    advance: Callable[[int], None] = lambda _: None,
) -> Measured:
    """Tag posts in one view and judge what comes out.

    Args:
        model: of any plugin.
        posts: n posts with gold entities.
        view: `text`: without what was seen in their pictures.
        advance: called with how many posts were done since it was last called.
    """
    inputs = [input_of(model, post, view) for post in posts[:_WARM_UP]]
    model.tag([given for given in inputs if not lacks(model, given)])
    timed = _Timed(model, posts)
    predicted = predict_posts(timed, posts, view, advance)
    spans = [[scored.span for scored in said.spans] for said in predicted]
    strays = [[scored.span for scored in said.strays] for said in predicted]
    judged = judge(posts, spans, strays)
    words = [
        word
        for post, verdict, said in zip(posts, judged, predicted, strict=True)
        for word in judged_words(post, verdict, said)
    ]
    sure = [(word.confidence, word.right) for word in words if word.confidence is not None]
    return Measured(
        view=view,
        predicted=predicted,
        judged=judged,
        evaluation=evaluate_spans(posts, spans, strays),
        token_accuracy=sum(word.right for word in words) / max(len(words), 1),
        entities=reliability(
            pair for verdict, said in zip(judged, predicted, strict=True) for pair in _scores(verdict, said)
        ),
        tokens=reliability(sure) if len(sure) == len(words) else None,
        untagged=len(posts) - timed.posts,
        speed=Speed(timed.posts, timed.words, timed.seconds),
    )


def _scores(judged: JudgedPost, said: Predicted) -> list[tuple[float, bool]]:
    """Of each predicted entity that is judged its score, and whether it is right."""
    found = [(s.probability, s.span in judged.gold) for s in said.spans if s.span in judged.found]
    return found + [(s.probability, False) for s in said.strays if s.span in judged.strays]


class _Timed(FusionModel):
    """A model with a clock: only the tagging is timed, not the reading of pictures' files."""

    def __init__(self, model: FusionModel, posts: Sequence[LabelledPost]) -> None:
        self.modalities = model.modalities
        self.widths = model.widths
        self.posts = self.words = 0
        self.seconds = 0.0
        self._model = model
        self._lengths = {post.text: len(post.words) for post in posts}

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        started = time.perf_counter()
        taggings = self._model.tag(batch)
        self.seconds += time.perf_counter() - started
        self.posts += len(batch)
        self.words += sum(self._lengths[post.text] for post in batch)
        return taggings
