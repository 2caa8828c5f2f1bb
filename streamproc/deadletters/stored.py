"""A letter as it lies in `posts.deadletters`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from pydantic_core import from_json

from streamproc.deadletters.letter import (
    ATTEMPTS_HEADER,
    PREFIX,
    REVISION_HEADER,
    Headers,
    attempts_before,
    first_read,
)
from streamproc.entities import Revision
from streamproc.errors import InputError
from streamproc.ledger import Record

_PLACE: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class Place(NamedTuple):
    """Where a message lies in its topic; written `PARTITION:OFFSET`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `PARTITION:OFFSET`.

        Raises:
            InputError: it is something else.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise InputError(f"{text!r} is no place of a letter: expected PARTITION:OFFSET, such as 0:12")
        return cls(int(found[1]), int(found[2]))


_NOWHERE: Final = Place(-1, -1)


class State(StrEnum):
    """What has become of a letter."""

    WAITING = "waiting"
    PARKED = "parked"
    """It failed so often that it is replayed on request only."""
    REPLAYED = "replayed"
    DELETED = "deleted"
    """Its post was deleted meanwhile, so it was dropped instead of replayed."""
    COPY = "copy"
    """Another letter of the same reading: a worker was killed before it had committed the first one."""


class LeftBehind(NamedTuple):
    """The body of a letter that was too large: it stayed where it was read."""

    digest: str
    size: int

    def matches(self, body: bytes | None) -> bool:
        """Whether this is the body."""
        return sha256(body or b"").hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """One letter, read back. What its headers do not say, or say in no sensible way, is `None`.

    Attributes:
        place: where the letter lies.
        headers: all of them, the original's and ours.
        topic: the topic in which the post was read.
        read_at: where in that topic it was read the last time.
        revision: where it was read the first time.
        attempts: how often it failed.
        failed_at: seconds since 1970.
        left_behind: of a letter whose body stayed in `topic`.
    """

    place: Place
    key: bytes | None
    body: bytes | None
    headers: Headers
    error: str | None
    message: str | None
    stage: str | None
    plugin: str | None
    topic: str | None
    read_at: Place | None
    revision: Revision | None
    attempts: int
    failed_at: float
    left_behind: LeftBehind | None

    @classmethod
    def read(cls, record: Record) -> StoredLetter:
        """The letter that a record of the topic is."""
        headers = {name: value for name, value in record.headers if value is not None}
        read_at = _place(headers)
        revision = first_read(headers, *(read_at or _NOWHERE))
        return cls(
            place=Place(record.partition, record.offset),
            key=record.key,
            body=record.value,
            headers=tuple(record.headers),
            error=_text(headers, "exception"),
            message=_text(headers, "message"),
            stage=_text(headers, "stage"),
            plugin=_text(headers, "plugin"),
            topic=_text(headers, "topic"),
            read_at=read_at,
            revision=revision if revision.offset >= 0 else None,
            attempts=attempts_before(headers),
            failed_at=_failed_at(headers, record.timestamp),
            left_behind=None if record.value else _left_behind(headers),
        )

    @property
    def key_text(self) -> str | None:
        """The key as text; bytes that are not UTF-8 are written `\\xNN`."""
        return None if self.key is None else readable(self.key)

    def own_headers(self) -> Headers:
        """The headers that the post had, without those that we added."""
        ours = (ATTEMPTS_HEADER, REVISION_HEADER)
        return [(n, v) for n, v in self.headers if n not in ours and not n.startswith(PREFIX)]

    def headers_for_replay(self, own: Headers) -> Headers:
        """What the post takes along when it goes round again, so that its revision and attempts go on.

        Args:
            own: the post's own headers.
        """
        counted = [(ATTEMPTS_HEADER, str(self.attempts).encode())]
        if self.revision is not None:
            counted.append((REVISION_HEADER, f"{self.revision.partition}:{self.revision.offset}".encode()))
        taken = {name for name, _ in counted}
        return [(n, v) for n, v in own if n not in taken and not n.startswith(PREFIX)] + counted

    def post_key(self) -> str | None:
        """`platform:id` of the post, from its body, else from its Kafka key."""
        named = named_post(self.body)
        if named is not None:
            return named.key
        return None if self.key is None else self.key.decode("utf-8", "replace")


class NamedPost(NamedTuple):
    """Which post a message is about, and whether it deletes it."""

    key: str
    deletes: bool


def named_post(body: bytes | None) -> NamedPost | None:
    """What a message is about, also one that is no valid post; `None` when it does not say.

    A letter is mostly something that `streamproc.posts.parse` refuses, and a delete that was written
    by a newer release is a delete.
    """
    try:
        value = from_json(body or b"")
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    platform, number = value.get("platform"), value.get("id")
    if not isinstance(platform, str) or not isinstance(number, str):
        return None
    return NamedPost(f"{platform}:{number}", value.get("op") == "delete")


def readable(data: bytes) -> str:
    """Bytes as text; what is not UTF-8 is written `\\xNN`."""
    return data.decode("utf-8", "backslashreplace")


def _text(headers: Mapping[str, bytes], name: str) -> str | None:
    value = headers.get(PREFIX + name)
    return None if value is None else readable(value)


def _place(headers: Mapping[str, bytes]) -> Place | None:
    partition, offset = headers.get(PREFIX + "partition", b""), headers.get(PREFIX + "offset", b"")
    if not _NUMBER.fullmatch(partition) or not _NUMBER.fullmatch(offset):
        return None
    return Place(int(partition), int(offset))


def _failed_at(headers: Mapping[str, bytes], timestamp: int) -> float:
    try:
        seconds = float(headers.get(PREFIX + "failed_at", b""))
    except ValueError:
        seconds = -1.0
    return seconds if 0.0 <= seconds <= _LATEST else min(max(timestamp / 1000, 0.0), _LATEST)


def _left_behind(headers: Mapping[str, bytes]) -> LeftBehind | None:
    digest, size = headers.get(PREFIX + "body.sha256"), headers.get(PREFIX + "body.bytes", b"")
    if digest is None or not _NUMBER.fullmatch(size):
        return None
    return LeftBehind(readable(digest), int(size))
