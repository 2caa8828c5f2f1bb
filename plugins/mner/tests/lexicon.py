"""Plugins whose entities are known beforehand: names from a list, in the text or only with a caption."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from streamproc.entities import Entity
from streamproc.fusion.api import FusionInput, FusionModel, FusionPlugin, Need, Tagging
from streamproc_mner.words import words_of


class LexiconConfig(BaseModel):
    """`names` by their type; `pictured` are known only to posts with a caption."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: Mapping[str, str] = {}
    pictured: Mapping[str, str] = {}
    score: float = 0.9


class LexiconModel(FusionModel):
    """Finds names wherever they stand, inside words too."""

    def __init__(self, config: LexiconConfig, need: Need | None) -> None:
        self._config = config
        self.modalities = {} if need is None else {"captions": need}

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._tag(post) for post in batch]

    def _tag(self, post: FusionInput) -> Tagging:
        names = dict(self._config.names)
        if post.seen("captions"):
            names |= self._config.pictured
        found = sorted(
            (match.start(), match.end(), name)
            for name in names
            for match in re.finditer(re.escape(name), post.text)
        )
        entities = tuple(
            Entity(post.text[start:end], names[name], start, end, self._config.score)
            for start, end, name in found
        )
        return Tagging(entities, (0.75,) * len(words_of(post.text)), 0.5)


class Lexicon(FusionPlugin[LexiconConfig]):
    """Reads captions where there are any."""

    name = "lexicon"
    version = "1"
    Config = LexiconConfig
    needs_model = False
    need: Need | None = Need.OPTIONAL
    modalities = {"captions": Need.OPTIONAL}  # noqa: RUF012
    known: Mapping[str, str] = {}

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        names = {**self.known, **self.config.names}
        return LexiconModel(self.config.model_copy(update={"names": names}), self.need)


class TextLexicon(Lexicon):
    """Reads nothing of pictures."""

    need = None


class NeedyLexicon(Lexicon):
    """Cannot do without a caption."""

    need = Need.REQUIRED


class Paris(TextLexicon):
    """Knows one place."""

    known = {"Paris": "LOC"}  # noqa: RUF012


class ParisAndAda(TextLexicon):
    """Knows one place, and one person."""

    known = {"Paris": "LOC", "Ada": "PER"}  # noqa: RUF012


class AdaAndNasa(TextLexicon):
    """Knows one person, and one organisation of a wrong type."""

    known = {"Ada": "PER", "NASA": "LOC"}  # noqa: RUF012
