"""Lines to posts: the forms that a file of posts can have.

- `post`: one Post or Deletion a line, as JSON, the form of the `posts` topic.
- `tokens`: one `{"id", "tokens", "tags"?, "captions"?}` a line; the text is the tokens joined by
  a space, the captions are visual context.
- `conll`: a token and its tag a line, in columns; a blank line ends the post, and a line
  `IMGID:NAME` names the next one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import orjson
import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamproc.errors import MalformedPost, UnsupportedSchemaVersion
from streamproc.feeds.api import BadLine, FeedItem, Item
from streamproc.feeds.lines import Line
from streamproc.posts import Post, checked, parse
from streamproc.repeated_keys import repeated_key
from streamproc.vision.visuals import Captions, Seen

Format = Literal["post", "tokens", "conll"]

PLATFORM: Final = "file"
"""Platform of posts from files that do not name one."""

_ROW: Final = regex.compile(rb"\S+[\t ](?:.*[\t ])?(?:O|[BIES]-\S+)[\t ]*")
_IMAGE_ID: Final = b"IMGID:"
_DOCUMENT_START: Final = b"-DOCSTART-"


class LineReader(ABC):
    """Makes items of lines; `finish` gives what waits for an end that never came."""

    @abstractmethod
    def feed(self, line: Line) -> Iterator[Item]:
        """The items that this line completes."""

    def finish(self) -> Iterator[Item]:
        """The items that the end of the file completes."""
        yield from ()


def reader_for(name: Format) -> LineReader:
    """A new reader of one form."""
    readers: dict[Format, type[LineReader]] = {
        "post": PostReader,
        "tokens": TokensReader,
        "conll": ConllReader,
    }
    return readers[name]()


def recognise(line: Line) -> Format | None:
    """Which form a line has, or `None` where it does not tell."""
    if line.raw.startswith((_IMAGE_ID, _DOCUMENT_START)) or _ROW.fullmatch(line.raw):
        return "conll"
    try:
        value = orjson.loads(line.raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    return "tokens" if "tokens" in value and "text" not in value else "post"


class _ObjectReader(LineReader):
    """One JSON object a line; blank lines are passed over."""

    def feed(self, line: Line) -> Iterator[Item]:
        if not line.raw.strip():
            return
        try:
            item = self._item(_whole(line))
            if (repeated := repeated_key(line.raw)) is not None:
                raise MalformedPost(repeated)
            yield item
        except (MalformedPost, UnsupportedSchemaVersion) as error:
            yield BadLine(line.number, error, line.raw)

    @abstractmethod
    def _item(self, line: Line) -> FeedItem: ...


class PostReader(_ObjectReader):
    """Posts and deletions, as on the `posts` topic."""

    def _item(self, line: Line) -> FeedItem:
        return FeedItem(parse(line.raw), line.number, line.raw)


class _TokensLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(coerce_numbers_to_str=True)] | None = None
    tokens: tuple[str, ...]
    captions: dict[str, str] | tuple[str, ...] = ()

    def visuals(self) -> Captions | None:
        texts = self.captions.values() if isinstance(self.captions, dict) else self.captions
        given = tuple(text for text in texts if text)
        # Nobody scored them; they are taken as certain, in the order in which they stand.
        return Captions(given, (0.0,) * len(given)) if given else None


class TokensReader(_ObjectReader):
    """Tokenised posts with captions of their picture."""

    def _item(self, line: Line) -> FeedItem:
        try:
            value = _TokensLine.model_validate_json(line.raw)
        except ValidationError as error:
            raise MalformedPost(_explain(error)) from None
        captions = value.visuals()
        return FeedItem(
            _post(value.id, value.tokens, line.number),
            line.number,
            line.raw,
            {"captions": Seen((captions,))} if captions else {},
        )


class ConllReader(LineReader):
    """Columns of tokens and tags."""

    MAX_ROWS: Final = 10_000

    def __init__(self) -> None:
        self._rows: list[Line] = []
        self._id: str | None = None
        self._bad: BadLine | None = None

    def feed(self, line: Line) -> Iterator[Item]:
        if not line.raw.strip(b" \t"):
            yield from self.finish()
        elif line.raw.startswith(_IMAGE_ID):
            yield from self.finish()
            self._id = line.raw.removeprefix(_IMAGE_ID).strip().decode(errors="replace")
        elif self._bad is None and not line.raw.startswith(_DOCUMENT_START):
            self._take(line)

    def finish(self) -> Iterator[Item]:
        """The post that the rows so far make."""
        rows, name, bad = self._rows, self._id, self._bad
        if bad is None and not rows:
            return
        self._rows, self._id, self._bad = [], None, None
        if bad is not None:
            yield bad
            return
        raw = b"\n".join(row.raw for row in rows)
        try:
            post = _post(name, [_token(row) for row in rows], rows[0].number)
        except MalformedPost as error:
            yield BadLine(rows[0].number, error, raw)
            return
        yield FeedItem(post, rows[0].number, raw)

    def _take(self, line: Line) -> None:
        """Keep a row; one that cannot be read makes its whole post unreadable."""
        try:
            _token(line)
        except MalformedPost as error:
            self._bad = BadLine(line.number, error, line.raw)
        else:
            self._rows.append(line)
            if len(self._rows) > self.MAX_ROWS:
                endless = MalformedPost(f"more than {self.MAX_ROWS} rows without a blank line between")
                self._bad = BadLine(self._rows[0].number, endless, self._rows[0].raw)
        if self._bad is not None:
            self._rows = []


def _token(line: Line) -> str:
    separator = b"\t" if b"\t" in line.raw else b" "
    columns = [column for column in _whole(line).raw.strip(b" \t").split(separator) if column]
    if len(columns) < 2:
        raise MalformedPost(f"row has {len(columns)} column: expected a token and its tag")
    try:
        return columns[0].decode()
    except UnicodeDecodeError as error:
        raise MalformedPost(f"not UTF-8: {error}") from None


def _whole(line: Line) -> Line:
    if line.cut:
        raise MalformedPost(f"line is longer than {len(line.raw)} bytes, the limit of a line")
    return line


def _post(name: str | None, tokens: Sequence[str], number: int) -> Post:
    post = Post(platform=PLATFORM, id=name or f"line-{number}", text=" ".join(tokens))
    checked(post)  # what stands in a file may be no id, or no text
    return post


def _explain(error: ValidationError) -> str:
    complaint = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, complaint['loc'])) or 'line'}: {complaint['msg']}"
