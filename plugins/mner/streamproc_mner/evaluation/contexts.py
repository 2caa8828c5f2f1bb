"""The visual contexts under which a model is measured, and labelled posts as live ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from streamproc.fusion.api import Modality, Seen, Visual
from streamproc.vision.visuals import Captions, OcrLine, OcrText, Value
from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment

_SEED: Final = 2022
_WHOLE_PICTURE: Final = (0.0, 0.0, 1.0, 1.0)


def contexts_of(posts: Sequence[LabelledPost]) -> dict[str, list[list[Segment]]]:
    """A data set's posts under each visual context that is measured.

    `none`: the text view. `captions`: all of the picture's captions. `alt`: made alt text, without
    words of the post. `noise`: made writing that has nothing to do with the post.
    """
    maker = ContextMaker(posts, _SEED)
    return {
        "none": [[] for _ in posts],
        "captions": [maker.all_captions(post) for post in posts],
        "alt": [[maker.alt(post, helpful=False)] if post.captions else [] for post in posts],
        "noise": [[maker.writing(post, helpful=False)] for post in posts],
    }


def in_contexts(posts: Sequence[LabelledPost]) -> dict[str, list[LabelledPost]]:
    """The posts of `contexts_of` with what is made to be seen in their pictures."""
    return {
        name: [
            replace(post, visuals=visuals_of(given)) for post, given in zip(posts, contexts, strict=True)
        ]
        for name, contexts in contexts_of(posts).items()
    }


def visuals_of(context: Sequence[Segment]) -> Mapping[Modality, Visual]:
    """Segments of text as what was seen in one picture."""
    texts: dict[Modality, list[str]] = {}
    for segment in context:
        texts.setdefault(segment.kind, []).append(segment.text)
    return {kind: Seen((_value(kind, tuple(found)),)) for kind, found in texts.items()}


def _value(kind: Modality, texts: tuple[str, ...]) -> Value:
    if kind == "captions":
        return Captions(texts, (0.0,) * len(texts))
    if kind == "ocr":
        return OcrText(tuple(OcrLine(text, 1.0, _WHOLE_PICTURE) for text in texts))
    return " ".join(texts)
