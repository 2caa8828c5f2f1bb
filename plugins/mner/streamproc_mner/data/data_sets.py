"""The Twitter data sets on disk, as released with UMT (Yu et al. 2020)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamproc.errors import InputError
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import read_records

TWITTER: Final = ("twitter2015", "twitter2017")
_SUFFIXES: Final = (".jsonl", ".txt")


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: posts to train on, posts cut from them to choose by, posts to report on."""

    name: str
    train: list[LabelledPost]
    dev: list[LabelledPost]
    valid: list[LabelledPost]


def read_data_sets(folder: Path, names: Sequence[str], held_out: float, seed: int) -> list[DataSet]:
    """Read data sets and cut a part from each one's training split.

    Args:
        folder: holds `NAME/train` and `NAME/valid`, each `.jsonl` (tokens, tags, captions) or
            `.txt` (CoNLL, as released).
        names: of the data sets.
        held_out: share of the training posts that becomes `dev`.
        seed: of the cut.

    Raises:
        InputError: a file is not there or cannot be read.
    """
    return [_read(folder / name, held_out, seed) for name in names]


def _read(folder: Path, held_out: float, seed: int) -> DataSet:
    train, valid = (normalise(read_records(_find(folder, split))) for split in ("train", "valid"))
    order = list(range(len(train)))
    random.Random(seed).shuffle(order)
    cut = round(held_out * len(train))
    dev, kept = sorted(order[:cut]), sorted(order[cut:])
    return DataSet(folder.name, [train[index] for index in kept], [train[index] for index in dev], valid)


def _find(folder: Path, split: str) -> Path:
    for suffix in _SUFFIXES:
        path = folder / f"{split}{suffix}"
        if path.is_file():
            return path
    raise InputError(
        f"{folder}: expected {split}.jsonl or {split}.txt in it; see the data set's public release"
    )
