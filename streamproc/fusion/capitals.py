"""`capitals`: the smallest useful plugin. Runs of capitalised words, and no model at all.

It is here to try a deployment's plumbing without a trained model, and to be read: this is all
that a plugin needs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from streamproc.entities import Entity
from streamproc.fusion.api import FusionInput, FusionModel, FusionPlugin, Tagging

_RUN: Final = re.compile(r"\b[A-Z]\w+(?: [A-Z]\w+)*")


class CapitalsConfig(BaseModel):
    """`type` is given to every entity; `words` is the least number of words in one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "MISC"
    words: int = 1


class CapitalsModel(FusionModel):
    """Tags by a regular expression."""

    def __init__(self, config: CapitalsConfig) -> None:
        self._config = config

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._tag_one(post.text) for post in batch]

    def _tag_one(self, text: str) -> Tagging:
        entities = tuple(
            Entity(run[0], self._config.type, run.start(), run.end(), score=0.5)
            for run in _RUN.finditer(text)
            if run[0].count(" ") + 1 >= self._config.words
        )
        return Tagging(entities, confidence=(0.5,) * len(text.split()), uncertainty=0.5)


class CapitalsPlugin(FusionPlugin[CapitalsConfig]):
    """Entry point `capitals` of the group `streamproc.fusion`."""

    name = "capitals"
    version = "1"
    Config = CapitalsConfig
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return CapitalsModel(self.config)
