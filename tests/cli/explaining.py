"""A plugin whose explanations have weights of every kind, all of them easy to foresee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from streamproc.fusion.api import (
    Explanation,
    FusionInput,
    FusionModel,
    FusionPlugin,
    Modality,
    Need,
    Tagging,
    Weights,
)
from streamproc.fusion.capitals import CapitalsConfig, CapitalsModel
from streamproc.tokens import tokenize

SIDE = 7
BOXES = ((0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.1, 0.5, 0.6, 1.0))


def shares(values: Sequence[float]) -> tuple[float, ...]:
    """Values that sum to 1."""
    return tuple(value / sum(values) for value in values)


def brightest_cell(word: int) -> int:
    """The cell that a word of `ExplainingModel` looks at most."""
    return (3 + 5 * word) % (SIDE * SIDE)


class ExplainingModel(FusionModel):
    """Tags capitalised words. Word n looks most at `brightest_cell(n)`, region n % 3 and itself."""

    modalities: ClassVar[Mapping[Modality, Need]] = {
        "alt": Need.OPTIONAL,
        "ocr": Need.OPTIONAL,
        "captions": Need.OPTIONAL,
        "regions": Need.OPTIONAL,
    }
    model = "explaining-tiny"
    model_version = "1"

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._tag(post) for post in batch]

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [replace(self._tag(post), explanation=explanation(post.text)) for post in batch]

    def _tag(self, post: FusionInput) -> Tagging:
        (tagging,) = CapitalsModel(CapitalsConfig()).tag([post])
        confidence = tuple(1 - 0.12 * (place % 5) for place, _ in enumerate(tokenize(post.text)))
        return replace(tagging, confidence=confidence, uncertainty=0.25)


def explanation(text: str) -> Explanation:
    """Weights of every kind for the words of a text."""
    tokens = tuple((token.text, token.start, token.end) for token in tokenize(text))
    words = range(len(tokens))
    cells, others = range(SIDE * SIDE), words
    return Explanation(
        tokens,
        {
            "modality attention": Weights(
                "modalities",
                tuple(shares((3 + n % 3, 1 + (2 * n) % 4, 1 + (3 * n) % 5)) for n in words),
                ("words", "characters", "image"),
            ),
            "visual attention": Weights(
                "cells", tuple(shares([_near(cell, brightest_cell(n)) for cell in cells]) for n in words)
            ),
            "region attention": Weights(
                "regions",
                tuple(shares([3 if box == n % 3 else 1 for box in range(len(BOXES))]) for n in words),
                boxes=BOXES,
            ),
            "self attention": Weights(
                "tokens", tuple(shares([exp(-abs(n - other) / 2) for other in others]) for n in words)
            ),
            "gates": Weights(
                "gates",
                tuple((n % 4 / 3, 1 - n % 3 / 2) for n in words),
                ("visual gate", "modulation gate"),
            ),
        },
    )


def _near(cell: int, centre: int) -> float:
    """Falls off with the distance of two cells."""
    (row, column), (top, left) = divmod(cell, SIDE), divmod(centre, SIDE)
    return exp(-((row - top) ** 2 + (column - left) ** 2) / 4)


class ExplainingPlugin(FusionPlugin):
    """Named as `tests.cli.explaining:ExplainingPlugin`."""

    name = "explaining"
    version = "1"
    modalities: ClassVar[Mapping[Modality, Need]] = ExplainingModel.modalities
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return ExplainingModel()
