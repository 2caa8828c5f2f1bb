"""Reading labelled posts from files: JSON Lines of tokens and tags, and CoNLL.

Both give the tokens as the file has them; `normaliser` brings them to the convention of live
posts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from streamproc.errors import InputError
from streamproc.vision.visuals import DetectedObject


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled post as a data set has it: tokens with BIO tags, and what is known of its picture.

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


class _JsonRecord(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str | int = ""
    tokens: list[Annotated[str, Field(min_length=1)]]
    tags: list[Annotated[str, Field(pattern=r"^(O|[BI]-\S+)$")]]
    captions: dict[str, str] = {}
    objects: tuple[DetectedObject, ...] = ()
    ocr: tuple[str, ...] | None = None
    alt: str | None = None
    image: str | None = None

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


def read_records(path: Path) -> list[Record]:
    """Read a file of labelled posts: `.jsonl` as JSON Lines, anything else as CoNLL.

    Raises:
        InputError: cannot be read, or a line is not what it should be; names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return list(_jsonl(path, lines) if path.suffix == ".jsonl" else _conll(path, lines))


def _jsonl(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read = _JsonRecord.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "line"
            raise InputError(f"{path}:{number}: {where}: {first['msg']}") from None
        yield Record(
            str(read.id), tuple(read.tokens), tuple(read.tags), read.captions,
            read.objects, read.ocr, read.alt, read.image,
        )  # fmt: skip


def _conll(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    """Token and tag in the first and last column; an empty line ends a post; `IMGID:` names it."""
    name = ""
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*lines, ""], start=1):
        columns = line.split()
        if not columns:
            if tokens:
                yield Record(name, tuple(tokens), tuple(tags))
            name, tokens, tags = "", [], []
        elif len(columns) == 1 and columns[0].startswith("IMGID:"):
            name = columns[0].removeprefix("IMGID:")
        elif len(columns) >= 2 and (columns[-1] == "O" or columns[-1][:2] in ("B-", "I-")):
            tokens.append(columns[0])
            tags.append(columns[-1])
        else:
            raise InputError(f"{path}:{number}: expected a token and its BIO tag, got {line[:80]!r}")
