"""A plugin whose posts say themselves how it will tag them, without a look and after one.

`u70 guessPER Jordan`: without a look it is 0.7 uncertain and takes Jordan for a PER. After a look it
is certain, and takes him for what the caption says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from streamproc.entities import Entity
from streamproc.fusion.api import FusionInput, FusionModel, FusionPlugin, Modality, Need, Tagging

SEEING = f"{__name__}:SeeingPlugin"
"""What `load_model` finds the plugin by."""


class SeeingConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: dict[Modality, Need] = {"captions": Need.OPTIONAL, "alt": Need.OPTIONAL}


class SeeingModel(FusionModel):
    def __init__(self, modalities: dict[Modality, Need]) -> None:
        self.modalities = modalities

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._tag(post) for post in batch]

    def _tag(self, post: FusionInput) -> Tagging:
        uncertainty, guess, name = post.text.split()
        captions = post.seen("captions")
        entity = captions[0].texts[0] if captions else guess.removeprefix("guess")
        # Alt text comes with the post: it lowers the doubt before any look.
        doubt = 0.0 if captions or post.seen("alt") else int(uncertainty[1:]) / 100
        start = post.text.index(name)
        found = Entity(name, entity, start, start + len(name), score=1.0 - doubt)
        return Tagging((found,), (1.0 - doubt,), doubt)


class SeeingPlugin(FusionPlugin[SeeingConfig]):
    name = "seeing"
    version = "1"
    Config = SeeingConfig
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return SeeingModel(self.config.modalities)


def line(uncertainty: int, guess: str, gold: str, caption: str | None, alt: str | None = None) -> str:
    """A labelled post as a line of a file."""
    post = {"tokens": [f"u{uncertainty}", f"guess{guess}", "Jordan"], "tags": ["O", "O", f"B-{gold}"]}
    seen = ({} if caption is None else {"captions": [caption]}) | ({} if alt is None else {"alt": alt})
    return json.dumps({"id": f"{uncertainty}", **post, **seen})
