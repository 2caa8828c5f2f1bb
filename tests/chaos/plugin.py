"""A plugin that takes its time, and does to its worker what the first word of a post says."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from streamproc.fusion.api import FusionInput, FusionModel, FusionPlugin, Tagging
from streamproc.fusion.capitals import CapitalsConfig, CapitalsModel

MEGABYTE = 1024 * 1024


class Config(CapitalsConfig):
    """`pace_s`: what each post takes. `once`: a file that says that a deed `once-...` was done."""

    pace_s: float = 0.002
    once: str = ""


class ChaosModel(FusionModel):
    """Tags capitals, unless it is told otherwise."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._capitals = CapitalsModel(CapitalsConfig())
        self._kept: list[bytes] = []

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        threading.Event().wait(self._config.pace_s * len(batch))
        taggings = self._capitals.tag(batch)
        for post in batch:
            word = post.text.partition(" ")[0]
            if word.startswith("once-"):
                if Path(self._config.once).exists():
                    continue
                Path(self._config.once).touch()
                word = word.removeprefix("once-")
            if word == "leak":
                self._kept.append(os.urandom(20 * MEGABYTE))
            elif word == "short":
                taggings.pop()
            elif word in _DEEDS:
                _DEEDS[word]()
        return taggings


def _raise() -> None:
    raise ValueError("told to")


_DEEDS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "exit": lambda: sys.exit(3),
    "hang": lambda: threading.Event().wait(),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
}


class ChaosPlugin(FusionPlugin[Config]):
    """`tests.chaos.plugin:ChaosPlugin`."""

    name = "chaos"
    version = "1"
    Config = Config
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        return ChaosModel(self.config)
