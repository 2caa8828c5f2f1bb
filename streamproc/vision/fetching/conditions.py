"""Asking a server only for what is new, and only when it wants to be asked (RFC 9110, RFC 9111)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_CHARS: Final = 256
"""A longer mark is not sent back; nothing of it is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """A file, and the marks by which its server can be asked whether it changed.

    Attributes:
        data: the file.
        etag: the server's mark of this version.
        last_modified: when it changed last, in the server's words.
    """

    data: bytes
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server says that what is known is what it still has."""


def fetched(data: bytes, headers: Mapping[str, str]) -> Fetched:
    """A file with the marks in its headers."""
    return Fetched(data, _mark(headers.get("ETag")), _mark(headers.get("Last-Modified")))


def conditions(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Headers that ask for a file only if it changed."""
    marks = {"If-None-Match": _mark(etag), "If-Modified-Since": _mark(last_modified)}
    return {name: mark for name, mark in marks.items() if mark is not None}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the server wants to be left alone: `Retry-After` in seconds or as a date."""
    wish = headers.get("Retry-After", "").strip()[:_MAX_CHARS]
    if wish.isascii() and wish.isdigit():
        return float(wish)
    try:
        until = parsedate_to_datetime(wish)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _mark(value: str | None) -> str | None:
    """A mark that can be sent back as it came."""
    if value and len(value) <= _MAX_CHARS and value.isascii() and value.isprintable():
        return value
    return None
