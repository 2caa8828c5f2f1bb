"""A model whose every answer is known, and posts for it, for the tests of the analyses."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from streamproc.entities import Entity
from streamproc.fusion.api import (
    API_VERSION,
    FusionInput,
    FusionModel,
    FusionPlugin,
    Need,
    NoConfig,
    Tagging,
)
from streamproc_mner.analysis.groups import Group
from streamproc_mner.evaluation.loading import LoadedModel

NAMES: Final[Mapping[str, str]] = {"paris": "LOC", "jordan": "PER", "harry": "PER", "apple": "ORG"}
"""What the model knows; of two names in a row each is an entity."""

CAPTIONED: Final[Mapping[str, Mapping[str, str]]] = {
    "river": {"jordan": "LOC"},
    "stage": {"titanic": "MISC"},
    "fruit": {"apple": ""},
}
"""What a word of a caption changes: a name's type, a name more, a name that is none."""

PLUGIN: Final = f"{__name__}:Lexicon"
BLIND: Final = f"{__name__}:BlindLexicon"


class LexiconModel(FusionModel):
    """Finds the names of `NAMES`, as the words of the captions change them."""

    modalities = {"captions": Need.OPTIONAL}  # noqa: RUF012

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._tag(post) for post in batch]

    def _tag(self, post: FusionInput) -> Tagging:
        known = dict(NAMES)
        for captions in post.seen("captions"):
            for word in " ".join(captions.texts).split():
                known |= CAPTIONED.get(word, {})
        entities, start, words = [], 0, post.text.split(" ")
        for word in words:
            if known.get(word):
                entities.append(Entity(word, known[word], start, start + len(word), 0.9))
            start += len(word) + 1
        return Tagging(tuple(entities), (1.0,) * len(words), 0.0)


class BlindLexiconModel(LexiconModel):
    """The same with nothing to see."""

    modalities = {}  # noqa: RUF012


class Lexicon(FusionPlugin[NoConfig]):
    """The plugin of `LexiconModel`."""

    name: ClassVar[str] = "lexicon"
    version: ClassVar[str] = "1"
    api_version: ClassVar[int] = API_VERSION
    modalities = LexiconModel.modalities
    needs_model: ClassVar[bool] = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return LexiconModel()


class BlindLexicon(Lexicon):
    """The plugin of `BlindLexiconModel`."""

    name: ClassVar[str] = "blind-lexicon"
    modalities = {}  # noqa: RUF012

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return BlindLexiconModel()


def lexicon(name: str = "lexicon") -> Group:
    """The model as it is loaded."""
    return Group(name, (LoadedModel(name, LexiconModel()),))


def random_posts(count: int, seed: int, *, most: int = 24) -> list[dict[str, Any]]:
    """Posts of names and other words, some with captions, gold by chance and not as the model has it."""
    chance = random.Random(seed)
    posts = []
    for number in range(count):
        tokens = [
            chance.choice((*NAMES, "titanic", "word", "in", "the", "news"))
            for _ in range(chance.randint(1, most))
        ]
        tags = [
            f"B-{chance.choice(('PER', 'LOC', 'ORG', 'MISC'))}"
            if token in (*NAMES, "titanic") and chance.random() < 0.8
            else "O"
            for token in tokens
        ]
        words = [chance.choice(("river", "stage", "fruit", "a", "man")) for _ in range(2)]
        captions = {name: f"{word} in a photo" for name, word in zip(("one", "two"), words, strict=True)}
        if chance.random() < 0.3:
            del captions["two"]
        post: dict[str, Any] = {"id": str(number), "tokens": tokens, "tags": tags}
        posts.append(post | ({"captions": captions} if chance.random() < 0.8 else {}))
    return posts


def write_posts(path: Path, posts: Sequence[Mapping[str, Any]]) -> Path:
    """Posts as JSON Lines."""
    path.write_text("".join(json.dumps(post) + "\n" for post in posts), encoding="utf-8")
    return path


def guessed(post: Mapping[str, Any], captions: Sequence[str]) -> set[tuple[int, str]]:
    """What the model finds in a post, told by hand: places of words and their types."""
    known = dict(NAMES)
    for word in " ".join(captions).split():
        known |= CAPTIONED.get(word, {})
    return {(place, known[token]) for place, token in enumerate(post["tokens"]) if known.get(token)}


def gold(post: Mapping[str, Any]) -> set[tuple[int, str]]:
    """What is labelled in a post; all entities are one word."""
    return {(place, tag[2:]) for place, tag in enumerate(post["tags"]) if tag != "O"}


def scores(right: int, found: int, there: int) -> tuple[float | None, float, float]:
    """Precision (of nothing found none), recall and F1 in percent."""
    return 100 * right / found if found else None, 100 * right / there, 200 * right / (found + there)
