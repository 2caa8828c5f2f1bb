"""Whether a model met a file of posts when it was trained: its run left the digests of its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from streamproc_mner.saved_files import sha256
from streamproc_mner.saved_model import METRICS

MetAs = Literal["train", "dev"]
"""What a file was to a run: trained on, or chosen by."""


class _Metrics(BaseModel):
    """What of `metrics.json` says what a run read: sha256 by the file's name, for each data set."""

    data: Mapping[str, Mapping[str, str]] = {}


def met_as(folder: Path | None, data: Path) -> MetAs | None:
    """What a file was to the run that a model comes from.

    Args:
        folder: of the saved model, where it is one.
        data: the file.

    Returns:
        `None` where the run did not read the file for training, and where the model does not say what its
        run read.
    """
    if folder is None:
        return None
    try:
        metrics = _Metrics.model_validate_json((folder / METRICS).read_bytes())
    except (OSError, ValidationError):
        return None
    digest = sha256(data)
    splits = {
        Path(name).stem
        for files in metrics.data.values()
        for name, found in files.items()
        if found == digest
    }
    return "train" if "train" in splits else "dev" if "dev" in splits else None


def met_notes(model: str, data: Path, met: MetAs | None) -> list[str]:
    """What people are told of it."""
    if met == "train":
        return [f"{model} was trained on {data.name}: its figures here say nothing of new posts"]
    if met == "dev":
        return [
            f"{model} was chosen by {data.name}, its weights and its temperature: expect lower figures on "
            "new posts"
        ]
    return []
