"""Recipes at tiny sizes: the same networks, a few thousand weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from streamproc.fusion.api import FusionModel
from streamproc.fusion.discovery import find_plugin
from streamproc_mner.nn.stored import save_tagger
from streamproc_mner.nn.tagger import Parts, Tagger
from streamproc_mner.recipes.building import build_network
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of
from tests.recipes.made_posts import COMMON, CUES, NAMES

WIDTH: Final = 16
"""Of picture vectors."""

LIMITS: Final = Limits(window=64, overlap=16, context=24)

SIZES: Final[dict[str, dict[str, Any]]] = {
    "bert-crf": {},
    "ita": {"picture_width": WIDTH},
    "bilstm-crf": {
        "word_width": 16, "character_width": 8, "character_hidden": 8, "picture_width": WIDTH,
        "transform_width": 24, "hidden": 24,
    },
    "concat": {"character_width": 8, "character_hidden": 8, "picture_width": WIDTH, "width": 32},
    "visual-attention": {
        "picture_width": WIDTH, "query_width": 16, "attention_width": 32,
        "text": {"word_width": 16, "character_width": 8, "character_hidden": 8, "hidden": 16},
    },
    "co-attention": {
        "picture_width": WIDTH, "attention_width": 32, "fusion_width": 32,
        "text": {"word_width": 16, "character_width": 8, "character_hidden": 8, "hidden": 16},
    },
    "visualbert": {"picture_width": WIDTH},
    "umt": {"picture_width": WIDTH, "heads": 4, "feed_forward": 64},
}  # fmt: skip
"""Settings that make a family's networks small."""


@dataclass(frozen=True, slots=True)
class Tiny:
    """A recipe's tiny network, untrained, with what reads posts for it."""

    recipe: Recipe
    network: Tagger
    vocabulary: Vocabulary
    tokenizer: Path

    def save(self, folder: Path) -> FusionModel:
        """Save the network, and load it as its plugin does."""
        save_tagger(
            self.network,
            folder,
            plugin=self.recipe.plugin,
            name="tiny",
            tokenizer=self.tokenizer if self.network.reads.positions == "sub-tokens" else None,
            vocabulary=self.vocabulary if self.network.reads_vocabulary else None,
            limits=LIMITS,
            metrics={},
            card="# tiny\n",
        )
        return find_plugin(self.recipe.plugin)(TorchTaggerConfig()).load(folder, "cpu")


def tiny(recipe: Recipe, parts: Callable[[Vocabulary], Parts], tokenizer: Path, seed: int = 1) -> Tiny:
    """A recipe's network at a tiny size.

    Args:
        recipe: what to build.
        parts: gives tiny encoders.
        tokenizer: of the tiny encoders.
        seed: of its weights.
    """
    vocabulary = Vocabulary.of([words_of(" ".join((*NAMES, *COMMON, *CUES.values())))])
    torch.manual_seed(seed)
    sizes = _merged(recipe.network, SIZES[recipe.plugin])
    return Tiny(recipe, build_network(recipe, parts(vocabulary), sizes), vocabulary, tokenizer)


def _merged(settings: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes in the place of a recipe's; those of a BiLSTM only where the recipe's text has one."""
    result = dict(sizes)
    if "text" in sizes:
        text = dict(settings["text"])
        result["text"] = {**text, **sizes["text"]} if text["kind"] == "bilstm" else text
    if settings.get("transform_width") == 0:
        result["transform_width"] = 0
    return result
