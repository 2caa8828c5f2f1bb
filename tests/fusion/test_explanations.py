"""Explanations are asked for, checked at the plugin's border, and change nothing in the tags."""

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from streamproc.errors import PluginFailed
from streamproc.fusion.api import Explanation, FusionInput, FusionModel, Tagging, Weights
from streamproc.fusion.runner import ThreadRunner, tag_safely
from streamproc.testing import ContractBroken
from streamproc.testing.contract import an_explained_post_is_tagged_the_same
from tests.cli.explaining import ExplainingModel, explanation

TEXT = "Ada in Berlin"
TOKENS = (("Ada", 0, 3), ("in", 4, 6), ("Berlin", 7, 13))
EVEN = ((0.25, 0.75),) * 3


class Told(FusionModel):
    """Explains as it was told to."""

    def __init__(self, told: object) -> None:
        self.told = told

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [Tagging((), (), 0.0) for _ in batch]

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [replace(tagging, explanation=self.told) for tagging in self.tag(batch)]


def of(**changes: object) -> Explanation:
    """One well-formed attention over modalities, and what is changed about it."""
    tokens = changes.pop("tokens", TOKENS)
    fields = {"over": "modalities", "rows": EVEN, "columns": ("words", "image"), **changes}
    return Explanation(tokens, {"attention": Weights(**fields)})  # type: ignore[arg-type]


def row(width: int, value: float = 0.5) -> tuple[tuple[float, ...], ...]:
    return ((value,) * width,) * 3


CELLS = {"over": "cells", "columns": ()}
GATES = {"over": "gates"}
REGIONS = {"over": "regions", "columns": (), "boxes": ((0.0, 0.0, 0.5, 1.0),)}


@pytest.mark.parametrize(
    "told",
    [
        of(),
        of(rows=row(2, 0.5004)),
        of(**GATES, rows=row(2, 1.0)),
        of(**CELLS, rows=row(49, 1 / 49)),
        of(**REGIONS, rows=row(1, 1.0)),
        of(over="tokens", columns=(), rows=row(3)),
        Explanation((), {}),
        Explanation((), {"attention": Weights("cells", ())}),
        explanation(TEXT),
    ],
)
def test_a_well_formed_explanation_is_handed_on(told: Explanation) -> None:
    (result,) = tag_safely("told", Told(told), [FusionInput(TEXT)], explain=True)
    assert isinstance(result, Tagging)
    assert result.explanation is told


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("because", "malformed"),
        (of(tokens=list(TOKENS)), "expected tokens as a tuple, got list"),
        (of(columns=["words", "image"]), "expected names as columns"),
        (of(rows=((np.float64(0.5),) * 2,) * 3), "expected Python's own numbers"),
        (of(rows=((True, False),) * 3), "expected Python's own numbers"),
        (of(tokens=(("A\ud800", 0, 3), *TOKENS[1:])), "surrogates not allowed"),
        (of(tokens=(("Ada", 0, 3),)), "3 rows for 1 tokens"),
        (of(tokens=(*TOKENS[:2], ("Berlin", 7, 14))), "'Berlin' at 7:14 is not in the text"),
        (of(tokens=TOKENS[::-1]), "out of order"),
        (of(tokens=((b"Ada", 0, 3), *TOKENS[1:])), "is not in the text"),
        (of(over="pixels"), "none of tokens, cells, regions, modalities, gates"),
        (of(rows=(*EVEN[:2], (1.0,))), "row 2 has 1 values, expected 2"),
        (of(rows=row(2, 0.6)), "do not sum to 1"),
        (of(**GATES, rows=row(2, 1.2)), "from 0 to 1"),
        (of(**GATES, rows=row(2, -0.1)), "from 0 to 1"),
        (of(**GATES, rows=row(2, float("nan"))), "from 0 to 1"),
        (of(**GATES, rows=row(2, float("inf"))), "from 0 to 1"),
        (of(**GATES, rows=(("a", "b"),) * 3), "own numbers"),
        (of(columns=("words", 2)), "expected names"),
        (of(over="cells", rows=row(49, 1 / 49)), "columns have names only"),
        (of(**CELLS, rows=row(36)), "expected 49 over cells"),
        (of(over="tokens", columns=(), rows=row(2)), "expected 3 over tokens"),
        (of(**REGIONS, rows=row(2)), "expected 1 over regions"),
        (of(**{**REGIONS, "boxes": ((0.5, 0.0, 0.2, 1.0),)}, rows=row(1)), "fractions of the picture"),
        (of(**{**REGIONS, "boxes": ((0.0, 0.0, 640.0, 480.0),)}, rows=row(1)), "fractions"),
        (of(boxes=((0.0, 0.0, 1.0, 1.0),)), "boxes are of regions"),
        (Explanation(TOKENS, {3: Weights("gates", EVEN, ("a", "b"))}), "expected a name"),
        (Explanation(TOKENS, {"attention": EVEN}), "malformed"),
    ],
)
def test_a_malformed_explanation_is_a_failure_that_says_how(told: object, fault: str) -> None:
    (result,) = tag_safely("told", Told(told), [FusionInput(TEXT)], explain=True)
    assert isinstance(result, PluginFailed)
    assert fault in str(result)


async def test_a_runner_explains_only_when_asked() -> None:
    runner = ThreadRunner("explaining", ExplainingModel())
    (plain,) = await runner.tag([FusionInput(TEXT)])
    (told,) = await runner.tag([FusionInput(TEXT)], explain=True)
    await runner.close()
    assert isinstance(plain, Tagging)
    assert isinstance(told, Tagging)
    assert plain.explanation is None
    assert told.explanation == explanation(TEXT)


def test_the_contract_holds_for_a_model_that_explains() -> None:
    an_explained_post_is_tagged_the_same(ExplainingModel())


class OfTwoMinds(ExplainingModel):
    """More certain when it is asked why."""

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [replace(tagging, uncertainty=0.0) for tagging in super().explain(batch)]


@pytest.mark.parametrize(
    ("model", "fault"), [(OfTwoMinds(), "scores differ"), (Told(of()), "not in the text")]
)
def test_the_contract_finds_a_model_that_explains_badly(model: FusionModel, fault: str) -> None:
    with pytest.raises(ContractBroken, match=fault):
        an_explained_post_is_tagged_the_same(model)
