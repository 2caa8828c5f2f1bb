"""Pictures that need no network: `data:` URLs, and `file:` URLs below a folder."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from streamproc.errors import FetchFailed, FetchRefused, PictureTooLarge

_WHITE_SPACE: Final = b" \t\r\n\f"


def read_data_url(url: str, max_bytes: int) -> bytes:
    """The bytes inside a `data:` URL, in base64 or with percent signs.

    Raises:
        PictureTooLarge: more than the limit.
        FetchFailed: not a `data:` URL that can be read.
    """
    header, comma, content = url.partition(",")
    if not comma:
        raise FetchFailed("the data: URL has no comma before its content")
    # At most three written characters make one byte, four make three: longer cannot be allowed.
    if len(content) > 4 * max_bytes + 4:
        raise PictureTooLarge(f"the data: URL holds more than {max_bytes} bytes")
    try:
        data = unquote_to_bytes(content)
        if header.lower().endswith(";base64"):
            packed = data.translate(None, _WHITE_SPACE).rstrip(b"=")
            data = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except ValueError:
        raise FetchFailed("the data: URL's content cannot be read") from None
    if len(data) > max_bytes:
        raise PictureTooLarge(f"the data: URL holds {len(data)} bytes, the limit is {max_bytes}")
    return data


def read_file_url(url: str, root: Path | None, max_bytes: int) -> bytes:
    """The file that a `file:` URL names; `file:pictures/x.png` is relative to the folder.

    Args:
        url: the URL.
        root: the folder that the file must lie in, links followed; `None` refuses every file.
        max_bytes: the largest file that is read.

    Raises:
        FetchRefused: no folder was named, or the file lies outside of it.
        FetchFailed: there is no such file.
        PictureTooLarge: more than the limit.
    """
    if root is None:
        raise FetchRefused(
            "file: pictures are read only below a folder that the command names (tag --pictures FOLDER)"
        )
    path = _resolve(url, root)
    try:
        # Not blocking: a pipe is opened, seen to be no file, and closed again.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise FetchFailed(f"file {path.name}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FetchFailed(f"file {path.name}: not a plain file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:
        raise PictureTooLarge(f"file {path.name} is larger than {max_bytes} bytes")
    return data


def _resolve(url: str, root: Path) -> Path:
    try:
        parts = urlsplit(url)
        if parts.netloc not in {"", "localhost"}:
            raise FetchRefused("file: URLs are not fetched from other hosts")
        folder = root.resolve(strict=True)
        path = (folder / unquote(parts.path)).resolve(strict=True)
    except OSError as error:
        raise FetchFailed(f"file {Path(parts.path).name}: {error.strerror}") from None
    except (ValueError, RuntimeError):
        # A NUL in the name, brackets that do not close, links in a circle.
        raise FetchFailed("the file: URL cannot be read") from None
    if not path.is_relative_to(folder):
        raise FetchRefused(f"file {path.name} lies outside the folder that the command names")
    return path
