"""What `streamproc data check` found, as a table and lines for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from streamproc_mner.data.checking import CheckedFile, DataCheck, Overlap
from streamproc_mner.labels import ENTITY_TYPES

_SHOWN: Final = 5


def as_json_object(found: DataCheck) -> dict[str, Any]:
    """All that was found."""
    return {
        "good": found.good,
        "files": [_file_as_json(file) for file in found.files],
        "overlaps": [
            {"files": [str(path) for path in overlap.files], "by": overlap.key, "lines": overlap.pairs}
            for overlap in found.overlaps
        ],
    }


def _file_as_json(file: CheckedFile) -> dict[str, Any]:
    pictures = file.pictures
    return {
        "path": str(file.path),
        "split": file.split,
        "posts": file.posts,
        "tokens": file.tokens,
        "entities": dict(file.entities),
        "strange_types": file.strange_types,
        "with": dict(file.seen),
        "handles": file.handles,
        "pictures": pictures
        and {
            "missing": pictures.missing,
            "extracted": dict(pictures.extracted),
            "failed": dict(pictures.failed),
        },
        "bad": [{"line": bad.number, "message": bad.message} for bad in file.bad],
        "empty": file.empty,
        "repeated": file.repeated,
    }


def print_check(found: DataCheck) -> None:
    """A column a file, then what is wrong, with where it stands."""
    titles = _titles([file.path for file in found.files])
    Console().print(_table(found.files, list(titles.values())))
    told = (
        _faults(found),
        _overlaps(found.overlaps, titles),
        _handles(found, titles),
        _remarks(found, titles),
    )
    for line in chain.from_iterable(told):
        click.echo(line)
    if found.good:
        click.echo("no faults")


def _titles(paths: list[Path]) -> dict[Path, str]:
    """Names short enough for a table: without folders where they are different."""
    names = [path.name for path in paths]
    return {
        path: path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        for path in paths
    }


def _table(files: tuple[CheckedFile, ...], titles: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in titles:
        table.add_column(title, justify="right", overflow="fold")
    for name, counts in _rows(files):
        table.add_row(name, *(f"{count:,}" if count else "-" for count in counts))
    return table


def _rows(files: tuple[CheckedFile, ...]) -> Iterator[tuple[str, list[int]]]:
    yield "posts", [file.posts for file in files]
    yield "tokens", [file.tokens for file in files]
    yield "entities", [file.entities.total() for file in files]
    others = sorted({name for file in files for name in file.entities} - set(ENTITY_TYPES))
    for name in (*ENTITY_TYPES, *others):
        yield f"  {name}", [file.entities[name] for file in files]
    for name in ("captions", "objects", "ocr", "alt", "image"):
        if any(file.seen[name] for file in files):
            yield f"with {name}", [file.seen[name] for file in files]
    yield from _picture_rows(files)
    for name, counts in (
        ("bad lines and tags", [len(file.bad) for file in files]),
        ("posts without tokens", [len(file.empty) for file in files]),
        ("same text again", [file.repeated["text"] for file in files]),
        ("same id again", [file.repeated["id"] for file in files]),
    ):
        if any(counts):
            yield name, counts


def _picture_rows(files: tuple[CheckedFile, ...]) -> Iterator[tuple[str, list[int]]]:
    pictures = [file.pictures for file in files if file.pictures is not None]
    if not pictures:
        return
    yield "without a picture", [len(counts.missing) for counts in pictures]
    for name in sorted({name for counts in pictures for name in (*counts.extracted, *counts.failed)}):
        yield f"{name} seen", [counts.extracted[name] for counts in pictures]
        if any(counts.failed[name] for counts in pictures):
            yield f"{name} failed", [counts.failed[name] for counts in pictures]


def _faults(found: DataCheck) -> Iterator[str]:
    for file in found.files:
        faults = sorted(
            [(bad.number, bad.message) for bad in file.bad] + [(line, "no tokens") for line in file.empty]
        )
        yield from (f"{file.path}:{line}: {message}" for line, message in faults[:_SHOWN])
        if len(faults) > _SHOWN:
            yield f"{file.path}: and {len(faults) - _SHOWN:,} more; --json lists all"
    if any(file.bad or file.empty for file in found.files):
        yield (
            "`streamproc data convert` brings other schemes to BIO2 and leaves posts without tokens out; "
            "with --repair it mends an I- that continues nothing"
        )


def _overlaps(overlaps: tuple[Overlap, ...], titles: dict[Path, str]) -> Iterator[str]:
    for overlap in overlaps:
        first, second = (titles[path] for path in overlap.files)
        lines = ", ".join(f"{first}:{one} = {second}:{other}" for one, other in overlap.pairs[:_SHOWN])
        more = ", ..." if len(overlap.pairs) > _SHOWN else ""
        count = f"{len(overlap.pairs):,}"
        yield f"{first} and {second}: same {overlap.key} in both ({count}): {lines}{more}"


def _handles(found: DataCheck, titles: dict[Path, str]) -> Iterator[str]:
    """Files of one folder that do not write `@name` alike."""
    for folder in dict.fromkeys(file.path.parent for file in found.files):
        files = [file for file in found.files if file.path.parent == folder]
        whole, cut = (
            ", ".join(titles[file.path] for file in files if file.handles == how)
            for how in ("whole", "cut")
        )
        if whole and cut:
            yield (
                f"@name is one token in {whole}, two in {cut}: trained on together, mentions count as "
                f"unlabelled in all of them; `evaluate` takes those of {cut} as labelled"
            )


def _remarks(found: DataCheck, titles: dict[Path, str]) -> Iterator[str]:
    for file in found.files:
        missing = file.pictures.missing if file.pictures is not None else []
        if missing:
            lines = ", ".join(map(str, missing[:_SHOWN]))
            more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
            yield f"{titles[file.path]}: no picture for the posts in lines {lines}{more}"
        if file.strange_types:
            yield (
                f"{titles[file.path]}: types other than {', '.join(ENTITY_TYPES)}: "
                f"{', '.join(file.strange_types)}; `streamproc data convert --types OLD=NEW` renames"
            )
