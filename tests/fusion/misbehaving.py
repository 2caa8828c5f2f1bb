"""A plugin that does to its process what the text of a post says; other posts have their capitals tagged.

Tests put this folder on the path and name it `misbehaving:MisbehavingPlugin`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from streamproc.fusion.api import Entity, Explanation, FusionInput, FusionModel, FusionPlugin, Need, Tagging
from streamproc.fusion.capitals import CapitalsConfig, CapitalsModel

MEGABYTE = 1024 * 1024
PLENTY = 4096
"""Megabytes after which a process that nobody ends has eaten enough."""


class Config(CapitalsConfig):
    """`closed`: a file that is made when the model is closed. `broken`: one that breaks every start."""

    closed: str = ""
    broken: str = ""
    load: str = ""


class MisbehavingModel(FusionModel):
    """Its uncertainty is the mean of the pictures' grids."""

    def __init__(self, config: Config) -> None:
        self.modalities = {"grid": Need.OPTIONAL, "ocr": Need.OPTIONAL}
        self._config = config
        self._capitals = CapitalsModel(CapitalsConfig())
        self._kept: list[bytearray] = []
        self._reused: list[Entity] = []
        self._damaged = False

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        taggings: list[Any] = [
            Tagging(tagging.entities, tagging.confidence, _mean_grid(post))
            for post, tagging in zip(batch, self._capitals.tag(batch), strict=True)
        ]
        for index, post in enumerate(batch):
            word, _, rest = post.text.partition(" ")
            match word:
                case "fragile" if self._damaged:
                    die("segfault")
                case "damage":
                    self._damaged = True
                case "leak":
                    self._kept.append(bytearray(os.urandom(MEGABYTE)) * int(rest))
                case "reuse":
                    self._reused[:] = taggings[index].entities
                    taggings[index] = replace(taggings[index], entities=self._reused)
                case "short":
                    taggings.pop()
                case "stranger":
                    taggings[index] = Tagging((), (), 0.0, OwnExplanation((), {}))
                case "lambda":
                    taggings[index] = Tagging((), (), 0.0, UnpicklableExplanation((), {}))
                case _:
                    die(word, rest)
        return taggings

    def close(self) -> None:
        if self._config.closed:
            Path(self._config.closed).touch()


class OwnExplanation(Explanation):
    """A type that the worker does not know."""


class UnpicklableExplanation(Explanation):
    """Cannot leave its process."""

    def __reduce__(self) -> str:
        raise RuntimeError("stays here")


def die(word: str, rest: str = "") -> None:
    """What a word does to its process."""
    if word in _DEEDS:
        _DEEDS[word](rest)


def _raise(_: str) -> None:
    raise ValueError("told to")


def _hang_natively(_: str) -> None:
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    ctypes.PyDLL(None).pause()  # keeps the interpreter's lock: no Python runs here any more


def _print(_: str) -> None:
    sys.stdout.write("printed by the plugin\n")
    sys.stdout.flush()
    logging.getLogger("misbehaving").warning("logged by the plugin")


def _scribble(_: str) -> None:
    for descriptor in range(3, 32):
        with suppress(OSError):
            os.write(descriptor, b"x" * 64)


def _dribble(_: str) -> None:
    """Begins a message of a gigabyte, and goes on with it for ever, a byte at a time."""
    while True:
        for descriptor in range(3, 32):
            with suppress(OSError):
                os.write(descriptor, b"spf1" + struct.pack(">II", 1024 * MEGABYTE, 0))
        threading.Event().wait(0.02)


def _fork(_: str) -> None:
    """Both processes go on and answer; the other one first."""
    if pid := os.fork():
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def _orphan(file: str) -> None:
    if os.fork() == 0:
        Path(file).write_text(str(os.getpid()))
        signal.pause()
    os._exit(3)


_DEEDS: dict[str, Callable[[str], object]] = {
    "raise": _raise,
    "sys.exit": lambda _: sys.exit(3),
    "segfault": lambda _: ctypes.string_at(0),
    "exit": lambda _: os._exit(3),
    "hang": lambda _: threading.Event().wait(),
    "hang-natively": _hang_natively,
    "slow": lambda _: threading.Event().wait(0.2),
    "allocate": lambda _: [os.urandom(MEGABYTE) * 8 for _ in range(PLENTY // 8)],
    "print": _print,
    "scribble": _scribble,
    "dribble": _dribble,
    "fork": _fork,
    "orphan": _orphan,
}


def _mean_grid(post: FusionInput) -> float:
    grids = post.seen("grid")
    return min(1.0, abs(float(np.mean(np.stack(grids), dtype=np.float64)))) if grids else 0.0


class MisbehavingPlugin(FusionPlugin[Config]):
    """`misbehaving:MisbehavingPlugin`."""

    name = "misbehaving"
    version = "7"
    Config = Config
    needs_model = False

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        if self.config.broken and Path(self.config.broken).exists():
            die("segfault")
        die(self.config.load)
        return MisbehavingModel(self.config)
