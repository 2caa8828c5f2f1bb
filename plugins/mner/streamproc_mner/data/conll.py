"""Labelled posts in columns: a token and its tag a line, as in CoNLL and in UMT's release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from streamproc_mner.data.lines import BadLine
from streamproc_mner.data.tags import is_tag

_NAME: Final = "IMGID:"
_DOCUMENT_START: Final = "-DOCSTART-"


@dataclass(slots=True)
class ColumnPost:
    """One post of a file of columns.

    Attributes:
        name: what its `IMGID:` line says; empty where there is none.
        line: the number of its first line.
        rows: the number of each token's line.
    """

    name: str
    line: int
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def read_columns(lines: Sequence[str]) -> Iterator[ColumnPost | BadLine]:
    """The posts of a file: token in the first column, tag in the last, an empty line after each post.

    Columns are parted by tabs, or by spaces in lines without a tab. A line `IMGID:NAME` begins a post
    and names its picture. `-DOCSTART-` lines are passed over, and between posts lines that begin with
    `#` and hold no tag. A line that is none of this costs its post, and is given in its place.
    """
    post: ColumnPost | None = None
    broken = False
    width: tuple[int, int] | None = None
    for number, line in enumerate([*lines, ""], start=1):
        columns = _columns(line)
        kind = _kind(line, columns, inside=post is not None)
        if post is not None and kind in ("name", "end"):
            if not broken:
                yield post
            post, broken = None, False
        if kind == "name":
            post = ColumnPost(line.removeprefix(_NAME).strip(), number)
        elif kind == "row":
            post = post or ColumnPost("", number)
            width = width or (len(columns), number)
            fault = _fault(line, columns, width)
            if fault:
                yield BadLine(number, fault)
                broken = True
                continue
            post.tokens.append(columns[0])
            post.tags.append(columns[-1])
            post.rows.append(number)


def _kind(line: str, columns: Sequence[str], inside: bool) -> Literal["name", "end", "comment", "row"]:
    """What a line is, inside or outside of a post."""
    if line.startswith(_NAME) and "\t" not in line:
        return "name"
    if not columns or columns[0] == _DOCUMENT_START:
        return "end"
    # `# id 17`, `#17`; but `#NBA O` and `# O` are rows.
    hashed = line.startswith("#") and (len(columns) == 1 or line[1] == " ")
    return "comment" if hashed and not inside and not is_tag(columns[-1]) else "row"


def _columns(line: str) -> list[str]:
    """The columns of a line; none where it is empty."""
    # Only tabs and spaces part columns: a token may be a no-break space.
    line = line.rstrip("\t ")
    if "\t" in line:
        return [column.strip(" ") for column in line.split("\t")]
    return [column for column in line.split(" ") if column]


def _fault(line: str, columns: Sequence[str], width: tuple[int, int]) -> str | None:
    """What is wrong with a row, where rows have so many columns since the line that `width` names."""
    if len(columns) == 1:
        return f"expected a token and its BIO tag, got {line[:80]!r}"
    if "\0" in line:
        return f"expected text, got {line[:80]!r}"
    if not columns[0]:
        return f"expected a token before the first tab, got {line[:80]!r}"
    if len(columns) != width[0]:
        return (
            f"{len(columns)} columns, where line {width[1]} has {width[0]}: {line[:80]!r}; a token "
            "holds no tab, nor a space where spaces part the columns"
        )
    return None
