"""The files of a data set's folder: `train.jsonl`, `valid.txt` and the like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SPLITS: Final = ("train", "dev", "valid", "test")
SUFFIXES: Final = (".jsonl", ".txt", ".conll")
"""Of files with labelled posts; of several for one split, the first is read."""


def split_files(folder: Path) -> Mapping[str, Path]:
    """The file of each split that a folder has."""
    found: dict[str, Path] = {}
    for split in SPLITS:
        for suffix in SUFFIXES:
            path = folder / f"{split}{suffix}"
            if path.is_file():
                found.setdefault(split, path)
    return found
