"""Posts from a file or from standard input."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar, Final, Literal

from pydantic import Field

from streamproc.feeds.api import Feed, FeedConfig, Item
from streamproc.feeds.formats import Format, LineReader, reader_for, recognise
from streamproc.feeds.lines import MAX_LINE_BYTES, Line, read_lines

_UNDECIDED_LINES: Final = 20
"""How many lines may fail to tell their form before the file is taken for posts."""


class FileConfig(FeedConfig):
    """Options of a file of posts."""

    path: str = Field(description="the file, plain or gzip; - is standard input")
    format: Literal["auto", Format] = Field(default="auto", description="auto, post, tokens or conll")
    max_line_bytes: int = Field(default=MAX_LINE_BYTES, ge=1, description="longer lines are bad lines")


class FileFeed(Feed[FileConfig]):
    """One post a line (or, in `conll`, a paragraph), read as a stream."""

    name: ClassVar[str] = "jsonl"
    Config: ClassVar[type[FeedConfig]] = FileConfig
    argument: ClassVar[str | None] = "path"

    async def posts(self) -> AsyncGenerator[Item, None]:
        """The file's posts, in order.

        Raises:
            InputError: the file cannot be opened or read.
        """
        reader: LineReader | None = None
        waiting: list[Line] = []
        async with aclosing(read_lines(self.config.path, self.config.max_line_bytes)) as lines:
            async for line in lines:
                if reader is None:
                    waiting.append(line)
                    form = self._form(line, len(waiting))
                    if form is None:
                        continue
                    reader = reader_for(form)
                else:
                    waiting = [line]
                for kept in waiting:
                    for item in reader.feed(kept):
                        yield item
        if reader is None:
            reader = reader_for("post")
            for kept in waiting:
                for item in reader.feed(kept):
                    yield item
        for item in reader.finish():
            yield item

    def _form(self, line: Line, seen: int) -> Format | None:
        if self.config.format != "auto":
            return self.config.format
        form = recognise(line) if line.raw.strip() else None
        return form or ("post" if seen >= _UNDECIDED_LINES else None)
