"""Labelled posts from files: JSON Lines of tokens and tags, or columns.

Both give the tokens as the file has them; `normaliser` brings them to the convention of live
posts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    field_validator,
    model_validator,
)

from streamproc.errors import InputError
from streamproc.repeated_keys import repeated_key
from streamproc.vision.visuals import DetectedObject
from streamproc_mner.data.conll import ColumnPost, read_columns
from streamproc_mner.data.lines import BadLine, read_lines
from streamproc_mner.data.tags import Fault, faults, is_tag, to_bio2

_OBJECT: Final = re.compile(r"\s*\{.*\}\s*$")
_CONTROL: Final = re.compile(r"[\t\n\r\0]")


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled post as a data set has it: tokens with BIO2 tags, and what is known of its picture.

    Attributes:
        id: of the post, or of its picture.
        captions: of the picture, by captioner, or by number.
        objects: tags, most certain first.
        ocr: lines of writing; `None` where nobody read the picture.
        alt: what the author wrote of it.
        image: path of the picture below the data set's folder of pictures.
    """

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    captions: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[DetectedObject, ...] = ()
    ocr: tuple[str, ...] | None = None
    alt: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class UncheckedRecord:
    """A post of a file, of whose tags nobody has seen yet which scheme they keep.

    Attributes:
        line: the number of its first line.
        rows: the number of each token's line in a file of columns.
    """

    record: Record
    line: int
    rows: tuple[int, ...] | None

    def bad_line(self, fault: Fault) -> BadLine:
        """Where a fault of its tags stands in the file."""
        if self.rows is not None:
            return BadLine(self.rows[fault.index], fault.message)
        return BadLine(self.line, f"tags.{fault.index}: {fault.message}")


def read_records(path: Path, *, repair: bool = False) -> list[Record]:
    """Read a file of labelled posts in BIO2.

    Args:
        path: of the file: JSON Lines where its name ends in `.jsonl` or it begins with an object, else
            columns (see `read_columns`).
        repair: let an `I-` that continues nothing begin an entity, instead of refusing it.

    Raises:
        InputError: cannot be read, holds no posts, or a line is not what it should be; names file and
            line.
    """
    records = []
    for item in read_unchecked(path):
        bad = item if isinstance(item, BadLine) else _first_fault(item, repair)
        if bad is not None:
            raise bad.error(path)
        if isinstance(item, UncheckedRecord):
            records.append(replace(item.record, tags=tuple(to_bio2(item.record.tags))))
    return records


def read_unchecked(path: Path) -> Iterator[UncheckedRecord | BadLine]:
    """The posts of a file and the lines that are none, in order.

    Raises:
        InputError: cannot be read, or holds no posts.
    """
    lines = read_lines(path)
    count = 0
    objects = path.suffix == ".jsonl" or _OBJECT.match(next(filter(None, lines), "")) is not None
    for item in _jsonl(lines) if objects else map(_of_columns, read_columns(lines)):
        count += 1
        yield item
    if not count:
        raise InputError(f"{path}: holds no posts: expected tokens with tags")


def _first_fault(post: UncheckedRecord, repair: bool) -> BadLine | None:
    """What keeps a post from being used, with the way out."""
    if not post.record.tokens:
        return BadLine(post.line, "a post without tokens; streamproc data convert leaves it out")
    for fault in faults(post.record.tags):
        bad = post.bad_line(fault)
        if fault.mendable and not repair:
            return bad._replace(message=f"{bad.message}; streamproc data convert --repair mends it")
        if not fault.mendable:
            other = is_tag(post.record.tags[fault.index])
            way_out = "; streamproc data convert brings other schemes to BIO2" if other else ""
            return bad._replace(message=f"{bad.message}{way_out}")
    return None


def _of_columns(item: ColumnPost | BadLine) -> UncheckedRecord | BadLine:
    if isinstance(item, BadLine):
        return item
    return UncheckedRecord(
        Record(item.name, tuple(item.tokens), tuple(item.tags)), item.line, tuple(item.rows)
    )


def _jsonl(lines: Sequence[str]) -> Iterator[UncheckedRecord | BadLine]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read = _JsonRecord.model_validate_json(line)
        except ValidationError as error:
            yield BadLine(number, _explain(error))
            continue
        if (repeated := repeated_key(line)) is not None:
            yield BadLine(number, repeated)
        else:
            yield UncheckedRecord(read.as_record(), number, None)


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"no {where!r}: expected a labelled post, with tokens and tags"
    return f"{where or 'line'}: {first['msg'].removeprefix('Value error, ')}"


def _without_control(token: str) -> str:
    if not token:
        raise ValueError("an empty token")
    found = _CONTROL.search(token)
    if found:
        raise ValueError(f"a token that holds {found[0]!r}: {token[:40]!r}")
    return token


def _as_looked_at(tag: DetectedObject) -> DetectedObject:
    """Numbers as an extractor gives them: shares of 1."""
    if not all(0.0 <= number <= 1.0 for number in (tag.score, *(tag.box or ()))):
        raise ValueError(f"object {tag.name!r}: expected a score and a box between 0 and 1")
    return tag


class _JsonRecord(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | int = ""
    tokens: tuple[Annotated[str, AfterValidator(_without_control)], ...]
    tags: tuple[str, ...]
    captions: dict[str, str] = {}
    objects: tuple[Annotated[DetectedObject, AfterValidator(_as_looked_at)], ...] = ()
    ocr: tuple[str, ...] | None = None
    alt: str | None = None
    image: str | None = None

    @field_validator("tags", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """Numbers become text, for the check of tags to say what is wrong with them."""
        return (
            [str(tag) if isinstance(tag, int) else tag for tag in value]
            if isinstance(value, list)
            else value
        )

    @field_validator("captions", mode="before")
    @classmethod
    def _by_number(cls, value: Any) -> Any:
        return {str(n): text for n, text in enumerate(value)} if isinstance(value, list) else value

    @field_validator("objects", mode="before")
    @classmethod
    def _bare_names(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"name": tag, "score": 1.0} if isinstance(tag, str) else tag for tag in value]

    @field_validator("ocr", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _as_many(self) -> _JsonRecord:
        if len(self.tokens) != len(self.tags):
            raise ValueError(f"{len(self.tokens)} tokens, but {len(self.tags)} tags")
        return self

    def as_record(self) -> Record:
        """The post without what checks it."""
        return Record(
            str(self.id),
            self.tokens,
            self.tags,
            self.captions,
            self.objects,
            self.ocr,
            self.alt,
            self.image,
        )
