"""Bytes to lines: any file or standard input, as a stream.

Newlines of all three kinds, a byte order mark and gzip are taken as they come; a line that is
too long is cut, not kept in memory. Lines are given as soon as they are whole, so that a pipe
that another program still writes to can be followed.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamproc.daemon import run_in_daemon_thread
from streamproc.errors import InputError

CHUNK_BYTES: Final = 1 << 16
MAX_LINE_BYTES: Final = 8 << 20

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_NEWLINE: Final = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end, numbered from 1; `cut` when the rest was too long and is gone."""

    number: int
    raw: bytes
    cut: bool = False


async def read_lines(path: str, max_bytes: int = MAX_LINE_BYTES) -> AsyncGenerator[Line, None]:
    """Lines of a file, or of standard input where `path` is `-`.

    Args:
        path: a file, plain or gzip.
        max_bytes: longer lines are cut there.

    Raises:
        InputError: the file cannot be opened or read, or its gzip data is damaged.
    """
    splitter = _Splitter(max_bytes)
    async with aclosing(_read_chunks(path)) as chunks:
        async for chunk in chunks:
            for line in splitter.feed(chunk):
                yield line
    for line in splitter.finish():
        yield line


class _Splitter:
    """Cuts chunks into lines and keeps what is not yet whole, at most `max_bytes` of it."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._cut = False
        self._number = 0
        self._return_pending = False

    def feed(self, chunk: bytes) -> list[Line]:
        if self._return_pending:
            chunk, self._return_pending = b"\r" + chunk, False
        if chunk.endswith(b"\r"):
            # The line feed of a \r\n may be in the next chunk.
            chunk, self._return_pending = chunk[:-1], True
        *whole, rest = _NEWLINE.split(chunk)
        lines = []
        for piece in whole:
            self._keep(piece)
            lines.append(self._take())
        self._keep(rest)
        return lines

    def finish(self) -> list[Line]:
        """What stands after the last newline."""
        return [self._take()] if self._rest or self._return_pending else []

    def _keep(self, piece: bytes) -> None:
        room = self._max_bytes - len(self._rest)
        self._cut = self._cut or len(piece) > room
        self._rest += piece[:room]

    def _take(self) -> Line:
        self._number += 1
        line = Line(self._number, bytes(self._rest), self._cut)
        self._rest.clear()
        self._cut = False
        return line


async def _read_chunks(path: str) -> AsyncGenerator[bytes, None]:
    """The file's bytes, unpacked where they are gzip, without a byte order mark."""
    try:
        # Standard input is read below Python's own buffer, whose lock a waiting thread would hold.
        stream = io.FileIO(0, closefd=False) if path == "-" else await run_in_daemon_thread(_open, path)
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}") from None
    with stream:
        head = b""
        while len(head) < len(_BYTE_ORDER_MARK) and (more := await _read(stream, path)):
            head += more
        unpack = _Gunzip(path) if head.startswith(_GZIP_MAGIC) else None
        chunk, first = head, True
        while chunk:
            for piece in unpack.feed(chunk) if unpack else (chunk,):
                yield piece.removeprefix(_BYTE_ORDER_MARK) if first else piece
                first = False
            chunk = await _read(stream, path)
        if unpack:
            unpack.finish()


def _open(path: str) -> io.FileIO:
    return Path(path).open("rb", buffering=0)


async def _read(stream: io.FileIO, path: str) -> bytes:
    try:
        return await run_in_daemon_thread(stream.read, CHUNK_BYTES) or b""
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


class _Gunzip:
    """Unpacks gzip, also several members one after another, in pieces of bounded size."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        try:
            while True:
                if self._member.eof:
                    self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                if piece := self._member.decompress(packed, CHUNK_BYTES):
                    yield piece
                packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                # A full piece may have left more behind in the unpacker.
                if not packed and len(piece) < CHUNK_BYTES:
                    break
        except zlib.error as error:
            raise InputError(f"{self._path} is damaged: {error}") from None

    def finish(self) -> None:
        if not self._member.eof:
            raise InputError(f"{self._path} is cut short: its gzip data does not end")
