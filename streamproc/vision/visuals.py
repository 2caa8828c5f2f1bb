"""What a look at a picture gives, by modality.

| modality   | value for one picture                                                     |
|------------|---------------------------------------------------------------------------|
| `alt`      | `str`, from the post itself: costs no look                                 |
| `captions` | `Captions`: k sentences with scores                                        |
| `objects`  | `Objects`: tags with attributes and scores, most certain first             |
| `ocr`      | `OcrText`: lines in reading order with boxes and confidences               |
| `grid`     | `numpy` fp16 (49, 2048): ResNet-152's last map, 7 x 7 cells row by row     |
| `global`   | `numpy` fp16 (2048,) or (1024,): one vector for the picture                |
| `regions`  | `Regions`: boxes, scores and RoI features (n, 1024)                        |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Modality = Literal["alt", "captions", "objects", "ocr", "grid", "global", "regions"]
LOOKED_AT: Final[tuple[Modality, ...]] = ("captions", "objects", "ocr", "grid", "global", "regions")
"""The modalities that cost a look; `alt` comes with the post."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class Captions:
    """Sentences about the picture, best first; scores are log-probabilities a token."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object tag with 0 to 3 attributes."""

    name: str
    score: float
    attributes: tuple[str, ...] = ()
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Objects:
    """Object tags, most certain first."""

    tags: tuple[DetectedObject, ...]


@dataclass(frozen=True, slots=True)
class OcrLine:
    """One line of writing in the picture."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class OcrText:
    """All writing in the picture, in reading order; none where there is none."""

    lines: tuple[OcrLine, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Region features: boxes as fractions (n, 4), scores (n,), features (n, 1024), fp16."""

    boxes: NDArray[np.float16]
    scores: NDArray[np.float16]
    features: NDArray[np.float16]


Value: TypeAlias = str | Captions | Objects | OcrText | Regions | NDArray[Any]


def texts_of(value: Value) -> tuple[str, ...]:
    """What a value says in words; nothing where it is vectors."""
    match value:
        case str():
            return (value,)
        case Captions():
            return value.texts
        case Objects():
            return tuple(" ".join((*tag.attributes, tag.name)) for tag in value.tags)
        case OcrText():
            return (" ".join(line.text for line in value.lines),)
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small copy of a picture for people to look at: a JPEG of our own making, never a stranger's.

    `digest` is the picture's identity; width and height are the copy's, in pixels.
    """

    digest: str
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen, one value for each of the post's pictures that could be had, in order.

    `thumbnails` are of the same pictures; there are none where nobody asked to be shown them.
    `away`: why one of the post's pictures could not be looked at now, and may be later.
    """

    values: tuple[Value, ...]
    thumbnails: tuple[Thumbnail | None, ...] = ()
    away: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing was seen, and why. Data for a model, not an error.

    `status`: the post has no picture (`absent`), the picture or the extractor could not be had
    (`unavailable`), or nobody looked (`skipped`). `away`: why no extractor could be asked now; a later
    look may see more.
    """

    status: Literal["absent", "unavailable", "skipped"]
    reason: str | None = None
    away: str | None = None


Visual: TypeAlias = Seen | Missing
