"""What came of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a run.

    Attributes:
        model: folder of the saved model.
        epochs: that were trained.
        chosen: which weights were kept, in words.
        dev: their scores on the dev posts, in percent.
        reported: the same on `valid` and `test`.
        stopped: somebody stopped it before its end.
    """

    model: Path
    epochs: int
    chosen: str
    dev: Mapping[str, float]
    reported: Mapping[str, float]
    stopped: bool
