"""The posts of one data set for training: what is trained on, what is chosen by, what is reported on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from itertools import chain
from pathlib import Path
from typing import Final

from streamproc.errors import InputError
from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.visuals import Modality
from streamproc_mner.data.normaliser import LabelledPost, handles_of
from streamproc_mner.data.posts import posts_of
from streamproc_mner.data.records import read_records
from streamproc_mner.data.split_files import split_files

_CUT_SEED: Final = 13


@dataclass(frozen=True, slots=True)
class Splits:
    """One data set.

    Attributes:
        name: of its folder.
        train: trained on.
        dev: early stopping, the choice of weights, and calibration.
        reported: by the name of the split; used for nothing but the report.
        digests: sha256 of the files, by their names.
    """

    name: str
    train: list[LabelledPost]
    dev: list[LabelledPost]
    reported: Mapping[str, list[LabelledPost]]
    digests: Mapping[str, str]


def read_splits(
    folder: Path,
    types: Sequence[str],
    *,
    held_out: float,
    share: float = 1.0,
    seed: int = 0,
    pictures: ExtractedPictures | None = None,
    widths: Mapping[Modality, int] | None = None,
    repair: bool = False,
) -> Splits:
    """Read a folder with `train`, and maybe `dev`, `valid` and `test`, as .jsonl, .txt or .conll.

    Args:
        folder: of the data set.
        types: of entities that are known.
        held_out: share of the training posts that becomes `dev` where the folder has no such file; the
            same ones for every seed.
        share: of the other training posts that are kept; a smaller share is part of a larger one.
        seed: which ones.
        pictures: what was seen in the posts' pictures.
        widths: of vectors, where there are several.
        repair: let an `I-` tag that continues nothing begin an entity, instead of refusing it.

    Raises:
        InputError: no training posts, or a file that cannot be read.
    """
    files = split_files(folder)
    if "train" not in files:
        raise InputError(
            f"{folder}: expected train.jsonl (or .txt, .conll) in it; see `streamproc data convert`"
        )
    records = {split: read_records(path, repair=repair) for split, path in files.items()}
    # A small split may hold no mention that tells: the data set is asked as a whole.
    handles = handles_of(chain.from_iterable(records.values()))
    posts = {split: posts_of(found, types, pictures, widths, handles) for split, found in records.items()}
    train, dev = posts.pop("train"), posts.pop("dev", None)
    if dev is None:
        train, dev = _cut(train, held_out)
    if not train or not dev:
        raise InputError(
            f"{folder}: too few posts: {len(train)} to train on, {len(dev)} to choose by; "
            f"training.held_out is {held_out:g}"
        )
    digests = {path.name: _digest(path) for path in files.values()}
    return Splits(folder.resolve().name, _shared(train, share, seed), dev, posts, digests)


def _cut(posts: list[LabelledPost], held_out: float) -> tuple[list[LabelledPost], list[LabelledPost]]:
    order = list(range(len(posts)))
    random.Random(_CUT_SEED).shuffle(order)
    cut = max(1, round(held_out * len(posts)))
    return [posts[i] for i in sorted(order[cut:])], [posts[i] for i in sorted(order[:cut])]


def _shared(posts: list[LabelledPost], share: float, seed: int) -> list[LabelledPost]:
    if share == 1.0:
        return posts
    order = list(range(len(posts)))
    random.Random(seed).shuffle(order)
    return [posts[i] for i in sorted(order[: max(1, round(share * len(posts)))])]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
