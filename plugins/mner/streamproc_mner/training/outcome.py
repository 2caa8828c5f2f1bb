"""What came of a training run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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

    def as_json(self) -> dict[str, Any]:
        """For a file, and for scripts."""
        return {**asdict(self), "model": str(self.model)}


def write_outcome(path: Path, outcome: Trained) -> None:
    """Write it, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(outcome.as_json(), indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def read_outcome(path: Path) -> Trained:
    """What `write_outcome` wrote, the model where the run's folder is now."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return Trained(**{**told, "model": path.parent / Path(told["model"]).name})
