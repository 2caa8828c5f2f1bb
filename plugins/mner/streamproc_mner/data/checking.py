"""What is wrong with a data set before a model is trained on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Final, Literal

from streamproc.errors import InputError
from streamproc_mner.data.convert import count_entities
from streamproc_mner.data.lines import BadLine
from streamproc_mner.data.normaliser import TYPE_NAMES, Handles, handles_of
from streamproc_mner.data.picture_folder import PictureFolder
from streamproc_mner.data.records import Record, UncheckedRecord, read_unchecked
from streamproc_mner.data.split_files import SPLITS, SUFFIXES, split_files
from streamproc_mner.data.tags import faults, to_bio2
from streamproc_mner.labels import ENTITY_TYPES

SameKey = Literal["text", "id"]
"""What two posts have in common."""

_KEYS: Final[dict[SameKey, Callable[[Record], str]]] = {
    "text": lambda record: " ".join(record.tokens),
    "id": lambda record: record.id,
}


@dataclass(slots=True)
class PictureCounts:
    """What a folder of pictures has for the posts of a file.

    Attributes:
        missing: lines of posts without a picture.
        extracted: posts at whose picture an extractor looked, by extractor.
        failed: those at whose picture it could not look.
    """

    missing: list[int] = field(default_factory=list)
    extracted: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class CheckedFile:
    """What one file holds.

    Attributes:
        split: its name without folder and suffix.
        entities: by type, as `repair` makes them where tags break BIO2.
        seen: posts whose record says something of their picture, by field.
        handles: how its posts write `@name`; `None` where none does.
        empty: lines of posts without tokens.
        bad: lines and tags that are not what they should be.
        repeated: posts that have another's text or id.
        pictures: of its posts; `None` where no folder was named.
    """

    path: Path
    split: str
    posts: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    handles: Handles | None = None
    empty: list[int] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    repeated: dict[SameKey, int] = field(default_factory=dict)
    pictures: PictureCounts | None = None

    @property
    def strange_types(self) -> list[str]:
        """Types that the data sets of the papers do not have."""
        return sorted(set(self.entities) - {*ENTITY_TYPES, *TYPE_NAMES})


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two files with posts in common.

    Attributes:
        pairs: the lines of the posts, in one file and in the other.
    """

    files: tuple[Path, Path]
    key: SameKey
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What was found in all files."""

    files: tuple[CheckedFile, ...]
    overlaps: tuple[Overlap, ...]

    @property
    def good(self) -> bool:
        """Whether every file can be read for training, and no two splits share a post."""
        return not self.overlaps and not any(file.bad or file.empty for file in self.files)


def check_data(paths: Sequence[Path], pictures: Path | None = None) -> DataCheck:
    """Look through files of labelled posts.

    Args:
        paths: files, and folders with splits as `train.jsonl` or `valid.txt`.
        pictures: a folder of picture files, or the `--out` of `streamproc extract`.

    Raises:
        InputError: a file or folder cannot be read, or has nothing in it.
    """
    folder = None if pictures is None else PictureFolder(pictures)
    files, places = [], []
    for path in dict.fromkeys(_files(paths)):
        file, at = _check_file(path, folder)
        files.append(file)
        places.append(at)
    overlaps = [
        overlap
        for (file, at), (other, other_at) in combinations(zip(files, places, strict=True), 2)
        if file.split != other.split  # two data sets may share posts that both train on
        for overlap in _overlaps((file.path, other.path), at, other_at)
    ]
    return DataCheck(tuple(files), tuple(overlaps))


_Places = dict[SameKey, dict[str, list[int]]]
"""The lines of the posts that have a text or an id."""


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = split_files(path)
        if not found:
            raise InputError(
                f"{path}: expected {', '.join(SPLITS)} in it, as {' or '.join(SUFFIXES)}; or name the files"
            )
        yield from found.values()


def _check_file(path: Path, pictures: PictureFolder | None) -> tuple[CheckedFile, _Places]:
    file = CheckedFile(path, path.stem, pictures=None if pictures is None else PictureCounts())
    places: _Places = {key: defaultdict(list) for key in _KEYS}
    for item in read_unchecked(path):
        if isinstance(item, BadLine):
            file.bad.append(item)
            continue
        _count(file, item)
        if pictures is not None and file.pictures is not None:
            _count_picture(file.pictures, item, pictures)
        for key, of in _KEYS.items():
            if of(item.record):
                places[key][of(item.record)].append(item.line)
    file.repeated = {key: sum(len(lines) - 1 for lines in at.values()) for key, at in places.items()}
    return file, places


def _count(file: CheckedFile, item: UncheckedRecord) -> None:
    record = item.record
    found = faults(record.tags)
    file.bad += [item.bad_line(fault) for fault in found]
    file.posts += 1
    file.tokens += len(record.tokens)
    if not record.tokens:
        file.empty.append(item.line)
    if all(fault.mendable for fault in found):
        file.entities.update(count_entities([replace(record, tags=tuple(to_bio2(record.tags)))]))
    if file.handles != "whole":
        file.handles = handles_of([record]) or file.handles
    file.seen.update(name for name, value in _seen(record) if value)


def _seen(record: Record) -> Iterator[tuple[str, bool]]:
    """Which fields say something of the picture; `ocr` of no lines says that there is no writing."""
    yield "captions", bool(record.captions)
    yield "objects", bool(record.objects)
    yield "ocr", record.ocr is not None
    yield "alt", bool(record.alt)
    yield "image", bool(record.image)


def _count_picture(counts: PictureCounts, item: UncheckedRecord, pictures: PictureFolder) -> None:
    picture = pictures.find(item.record)
    if picture is None:
        counts.missing.append(item.line)
        return
    for extractor, failed in pictures.extractors(picture).items():
        (counts.failed if failed else counts.extracted)[extractor] += 1


def _overlaps(files: tuple[Path, Path], at: _Places, other: _Places) -> Iterator[Overlap]:
    for key in _KEYS:
        pairs = [
            (at[key][value][0], line)
            for value, lines in other[key].items()
            if value in at[key]
            for line in lines
        ]
        if pairs:
            yield Overlap(files, key, tuple(pairs))
