"""What was seen in a post's pictures, as typed segments of text (wang2022-ita section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from streamproc.fusion.api import FusionInput, Modality
from streamproc.vision.visuals import Captions, DetectedObject, Objects, OcrText

Kind = Literal["alt", "ocr", "captions", "objects"]
"""What a picture is told in, as text."""

KINDS: Final[tuple[Kind, ...]] = ("alt", "ocr", "captions", "objects")
"""The kinds of visual context, in the order in which they share the room that a post leaves.

OCR, captions and object tags in wang2022-ita's order; before them what the author wrote.
"""

MOST_CAPTIONS: Final = 5
MOST_OBJECTS: Final = 100
MOST_ATTRIBUTES: Final = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of visual context: its kind and its text."""

    kind: Kind
    text: str


def segments_of(post: FusionInput, kinds: Iterable[Modality]) -> list[Segment]:
    """The visual context of a post, in the order of `KINDS`, one segment a text and picture.

    Args:
        post: with what was seen.
        kinds: those that the model was trained on; others are left out.
    """
    wanted = frozenset(kinds)
    return [
        Segment(kind, text)
        for kind in KINDS
        if kind in wanted
        for value in post.seen(kind)
        for text in _READERS[kind](value)
        if text.strip()
    ]


def _alt(value: str) -> Sequence[str]:
    return (value,)


def _ocr(value: OcrText) -> Sequence[str]:
    return (" ".join(line.text for line in value.lines),)


def _captions(value: Captions) -> Sequence[str]:
    return value.texts[:MOST_CAPTIONS]


def _objects(value: Objects) -> Sequence[str]:
    return (" ".join(_with_attributes(tag) for tag in value.tags[:MOST_OBJECTS]),)


def _with_attributes(tag: DetectedObject) -> str:
    return " ".join((*tag.attributes[:MOST_ATTRIBUTES], tag.name))


_READERS: Final[Mapping[Modality, Callable[[Any], Sequence[str]]]] = {
    "alt": _alt,
    "ocr": _ocr,
    "captions": _captions,
    "objects": _objects,
}
