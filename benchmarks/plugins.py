"""Plugins to measure with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.posts import BAD
from streamproc.fusion.api import FusionInput, FusionModel, FusionPlugin, NoConfig, Tagging

NOTHING = Tagging((), (), 0.0)


class NoopModel(FusionModel):
    """Finds nothing, at once: what is left is the cost of everything else. Raises on a bad post."""

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        if any(post.text.startswith(BAD) for post in batch):
            raise ValueError("a bad post")
        return [NOTHING] * len(batch)


class NoopPlugin(FusionPlugin[NoConfig]):
    """`benchmarks.plugins:NoopPlugin`."""

    name = "noop"
    version = "1"
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return NoopModel()
