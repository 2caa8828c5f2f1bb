"""Posts in which only the picture says of what type the names are.

A post is a few common words and one or two names. All names occur with all types, so that nothing
in the text tells a person from a place; the picture does, in the way that a recipe's network sees
pictures: a vector that stands for the type among noise, or a word in a caption, an object tag or
writing. Of several kinds of text one, by chance, tells, and the others show nothing of use.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec.structs import replace

from streamproc.fusion.api import FusionInput, Modality, Seen
from streamproc.vision.visuals import Captions, DetectedObject, Objects, OcrLine, OcrText, Regions, Value

TYPES: Final = ("PER", "LOC", "ORG", "MISC")
NAMES: Final = (
    "kevin durant",
    "paris",
    "london",
    "nasa",
    "warriors",
    "harry potter",
    "google",
    "durant",
    "potter",
)
COMMON: Final = ("in", "the", "of", "at", "and", "is", "a", "photo", "news")
CUES: Final = {"PER": "man", "LOC": "stadium", "ORG": "nba", "MISC": "dog"}
CELLS: Final = 49
REGIONS: Final = 6

Gold = frozenset[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class MadePost:
    """A post as a model sees it, and its entities: start, end (code points), type."""

    post: FusionInput
    gold: Gold


class PostMaker:
    """Makes posts for a recipe.

    Args:
        modalities: how the network sees pictures.
        width: of the vectors, where it sees vectors.
        seed: of everything.
    """

    def __init__(self, modalities: Sequence[Modality], width: int, seed: int) -> None:
        self._modalities = tuple(modalities)
        self._width = width
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        # What stands for each type: the same for training posts and for others.
        self._prototypes = prototypes(width)

    def make(self, count: int) -> list[MadePost]:
        """New posts."""
        return [self._make() for _ in range(count)]

    def _make(self) -> MadePost:
        kind = self._random.choice(TYPES)
        text, spans = "", []
        for name in self._random.sample(NAMES, self._random.choice((1, 1, 2))):
            text += " ".join(self._random.choices(COMMON, k=self._random.randint(1, 3))) + " "
            spans.append((len(text), len(text) + len(name), kind))
            text += name + " "
        visuals = {modality: Seen((value,)) for modality, value in self._see(kind)}
        return MadePost(FusionInput(text.rstrip(), ("en",), visuals), frozenset(spans))

    def _see(self, kind: str) -> Iterator[tuple[Modality, Value]]:
        telling = self._random.choice(self._modalities or ("alt",))
        for modality in self._modalities:
            yield modality, self._value(modality, kind, CUES[kind] if modality == telling else "photo")

    def _value(self, modality: Modality, kind: str, cue: str) -> Value:
        if modality == "captions":
            return Captions((f"a {cue} in the photo",), (-0.5,))
        if modality == "objects":
            return Objects((DetectedObject(cue, 0.9, ("a",)),))
        if modality == "ocr":
            return OcrText((OcrLine(f"the {cue}", 0.9, (0.0, 0.0, 1.0, 0.1)),))
        prototype = self._prototypes[TYPES.index(kind)]
        if modality == "global":
            return (prototype + self._noise(1)[0]).astype(np.float16)
        if modality == "grid":
            cells = self._noise(CELLS)
            cells[self._numbers.choice(CELLS, 16, replace=False)] += prototype
            return cells.astype(np.float16)
        features = self._noise(REGIONS)
        features[self._numbers.integers(REGIONS)] += prototype
        boxes = np.tile(np.array([[0.0, 0.0, 0.5, 0.5]], np.float16), (REGIONS, 1))
        return Regions(
            boxes, np.linspace(0.9, 0.5, REGIONS).astype(np.float16), features.astype(np.float16)
        )

    def _noise(self, vectors: int) -> np.ndarray:
        return self._numbers.normal(0.0, 0.3, (vectors, self._width))


def prototypes(width: int) -> np.ndarray:
    """(4, width): the vector that stands for each type in a picture."""
    return np.random.default_rng(7).choice((-1.0, 1.0), (len(TYPES), width)) * 1.5


def shuffled(posts: Sequence[MadePost], seed: int = 3) -> list[MadePost]:
    """The same posts, their pictures dealt out again by chance."""
    pictures = [made.post.visuals for made in posts]
    random.Random(seed).shuffle(pictures)
    return [
        MadePost(replace(made.post, visuals=picture), made.gold)
        for made, picture in zip(posts, pictures, strict=True)
    ]


def without_pictures(posts: Sequence[MadePost]) -> list[MadePost]:
    """The same posts, nothing seen."""
    return [MadePost(replace(made.post, visuals={}), made.gold) for made in posts]


def f1(found: Sequence[Gold], posts: Sequence[MadePost]) -> float:
    """Micro F1 over exact spans with their types."""
    right = sum(len(spans & made.gold) for spans, made in zip(found, posts, strict=True))
    total = sum(map(len, found)) + sum(len(made.gold) for made in posts)
    return 2 * right / total
