"""What every recipe must show, at a tiny size."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from streamproc.fusion.api import FusionInput, FusionModel
from streamproc.testing.contract import CHECKS
from streamproc.testing.visuals import example_value
from streamproc.vision.visuals import Seen
from streamproc_mner.recipes.recipe import Recipe
from tests.recipes.encoders import kind_of, tiny_parts
from tests.recipes.learning import Learnt, learn, overfit
from tests.recipes.made_posts import TYPES
from tests.recipes.tiny import Tiny, tiny

ENOUGH: Final = 0.95
"""F1 with the picture, where only the picture tells."""
NEAR: Final = 0.12
"""How far F1 with another post's picture may be above that without one, or above chance."""

TEXTS: Final = ("kevin durant in paris", "zebra", "harry potter at the stadium " * 8, "🎉", "")

_FRESH: Final = """
import sys
from pathlib import Path
import torch
from streamproc.fusion.discovery import find_plugin
from streamproc_mner.serving_config import TorchTaggerConfig
from tests.recipes.checks import told
torch.set_num_threads(1)
print(told(find_plugin(sys.argv[1])(TorchTaggerConfig()).load(Path(sys.argv[2]), "cpu")))
"""


class RecipeFailed(AssertionError):
    """A recipe does not show what it must."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a recipe showed."""

    recipe: str
    weights: int
    sees: bool
    learnt: Learnt

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def build(recipe: Recipe, encoders: Path) -> Tiny:
    """A recipe's network at a tiny size."""
    kind = kind_of(str(recipe.network.get("encoder", "")))
    return tiny(recipe, lambda words: tiny_parts(encoders, words), encoders / kind / "tokenizer.json")


def sees(recipe: Recipe) -> bool:
    """Whether the recipe can learn from pictures: not where each post is given another one's."""
    return bool(recipe.modalities) and recipe.training.pictures == "own"


def show_learning(recipe: Recipe, encoders: Path, folder: Path) -> Shown:
    """With pictures: read from them what the text does not tell. Without: 32 posts by heart.

    Raises:
        RecipeFailed: it does not reach that.
    """
    made = build(recipe, encoders)
    weights = sum(parameter.numel() for parameter in made.network.parameters())
    learnt = (learn if sees(recipe) else overfit)(made, folder)
    shown = Shown(recipe.name, weights, sees(recipe), learnt)
    if not shown.sees and learnt.own < 1.0:
        raise RecipeFailed(f"{recipe.name}: F1 {learnt.own:.3f} on 32 posts it was taught, expected 1.0")
    if shown.sees and learnt.own < ENOUGH:
        raise RecipeFailed(f"{recipe.name}: F1 {learnt.own:.3f} with the picture, expected {ENOUGH}")
    guessed = max(learnt.none, 1 / len(TYPES))
    if shown.sees and learnt.other > guessed + NEAR:
        raise RecipeFailed(
            f"{recipe.name}: F1 {learnt.other:.3f} with another post's picture, expected about as much "
            f"as without one, or by chance: {guessed:.3f}"
        )
    return shown


def show_contract(recipe: Recipe, encoders: Path, folder: Path) -> None:
    """Every check of the contract suite, on a saved network with random weights.

    Raises:
        AssertionError: the check that failed says what is wrong.
    """
    model = build(recipe, encoders).save(folder)
    wanted, found = set(recipe.modalities), set(model.modalities)
    if wanted != found:
        raise RecipeFailed(
            f"{recipe.name}: uses {sorted(found)} of pictures, the recipe says {sorted(wanted)}"
        )
    for check in CHECKS:
        check(model)


def show_fresh_process(recipe: Recipe, model: FusionModel, folder: Path) -> None:
    """A fresh process that loads the folder says the same, to the last bit.

    Raises:
        RecipeFailed: it does not.
    """
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, recipe.plugin, str(folder)],
        capture_output=True, text=True, check=False, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if done.returncode:
        raise RecipeFailed(f"{recipe.name}: a fresh process cannot load it: {done.stderr[-2000:]}")
    expected = told(model)
    if done.stdout.strip() != expected:
        raise RecipeFailed(f"{recipe.name}: a fresh process says\n{done.stdout}instead of\n{expected}")


def told(model: FusionModel) -> str:
    """What a model says of some posts, every float exactly, with pictures and without."""
    visuals = {
        modality: Seen((example_value(modality, width=model.widths.get(modality)),))
        for modality in model.modalities
    }
    posts = [FusionInput(text, visuals=seen) for text in TEXTS for seen in ({}, visuals)]
    return repr(model.tag(posts))
