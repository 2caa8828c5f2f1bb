"""Bringing released data sets to one form: JSON Lines with tags in BIO2."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from streamproc.errors import InputError
from streamproc_mner.data.lines import BadLine
from streamproc_mner.data.records import Record, UncheckedRecord, read_unchecked
from streamproc_mner.data.tags import Fault, Scheme, faults, is_tag, recognise_scheme, rename, to_bio2
from streamproc_mner.labels import spans_of


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a file.

    Attributes:
        records: its posts, with tags in BIO2.
        scheme: what they were written in.
        mended: tags that broke it.
        empty: posts without tokens, which are left out.
        not_there: types that should have been renamed and do not occur.
    """

    records: tuple[Record, ...]
    scheme: Scheme
    mended: int
    empty: int
    not_there: tuple[str, ...]

    @property
    def entities(self) -> Counter[str]:
        """Entities by type."""
        return count_entities(self.records)


def convert(
    path: Path,
    *,
    scheme: Scheme | None = None,
    repair: bool = False,
    types: Mapping[str, str] | None = None,
) -> Conversion:
    """Read a file of labelled posts in any of the forms and schemes.

    Args:
        path: see `read_records`.
        scheme: of the tags; by default the one that they look like.
        repair: mend tags that break their scheme, instead of refusing them.
        types: new names of types; entities of a type that becomes `O` are left out.

    Raises:
        InputError: cannot be read, or a line or tag is not what it should be; names file and line.
    """
    read = []
    for item in read_unchecked(path):
        if isinstance(item, BadLine):
            raise item.error(path)
        read.append(item)
    posts = [post for post in read if post.record.tokens]
    scheme = scheme or recognise_scheme(post.record.tags for post in posts)
    mended = _check(path, posts, scheme, repair)
    names = types or {}
    found = {tag[2:] for post in posts for tag in post.record.tags if tag != "O"}
    return Conversion(
        tuple(_converted(path, post, names) for post in posts),
        scheme,
        mended,
        len(read) - len(posts),
        tuple(sorted(set(names) - found)),
    )


def count_entities(records: Iterable[Record]) -> Counter[str]:
    """Entities by type."""
    return Counter(span.type for record in records for span in spans_of(record.tags))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write posts as JSON Lines; the file is there whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(_as_json(record), ensure_ascii=False) + "\n" for record in records)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _check(path: Path, posts: Sequence[UncheckedRecord], scheme: Scheme, repair: bool) -> int:
    """How many tags break their scheme; refuses those that are not to be mended."""
    found = [(post, fault) for post in posts for fault in faults(post.record.tags, scheme)]
    refused = [(post, fault) for post, fault in found if not (repair and fault.mendable)]
    if refused:
        post, fault = refused[0]
        bad = post.bad_line(fault)
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise bad._replace(message=f"{bad.message} in {scheme}{more}{_way_out(post, fault)}").error(path)
    return len(found)


def _way_out(post: UncheckedRecord, fault: Fault) -> str:
    if fault.mendable:
        return "; --repair mends it"
    return "; --scheme names another scheme" if is_tag(post.record.tags[fault.index]) else ""


def _converted(path: Path, post: UncheckedRecord, names: Mapping[str, str]) -> Record:
    record = post.record
    tags = tuple(rename(to_bio2(record.tags), names))
    if post.rows is None:
        return replace(record, tags=tags, id=record.id or f"{path.stem}-{post.line}")
    if not record.id:
        return replace(record, tags=tags, id=f"{path.stem}-{post.line}")
    return replace(record, tags=tags, image=f"{record.id}.jpg")


def _as_json(record: Record) -> dict[str, Any]:
    """What is there of a record, in the names that `read_records` reads."""
    return {
        key: value
        for key, value in asdict(record).items()
        if value is not None and (value or key not in ("captions", "objects"))
    }
