"""A dead letter as a worker writes it: with all that is needed to send its post round again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import time
from typing import Final

from streamproc.entities import Revision
from streamproc.errors import StreamprocError

PREFIX: Final = "__streamproc.errors."
REVISION_HEADER: Final = "__streamproc.revision"
ATTEMPTS_HEADER: Final = "__streamproc.attempts"
MESSAGE_BYTES: Final = 2_000
"""Longest error message that a header carries: the letter must stay about as large as its post."""

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of `posts` that ends in `posts.deadletters`.

    `body`, `key` and `headers` are the original's, byte for byte; the rest says where it was
    read, what happened, and at which stage (`decode`, `route`, `fuse`, `look`, `publish`).
    """

    key: bytes | None
    body: bytes | None
    topic: str
    partition: int
    offset: int
    timestamp: int
    error: StreamprocError
    stage: str
    attempts: int
    plugin: str | None = None
    revision: Revision | None = None
    headers: Headers = ()
    origin: object = None
    failed_at: float = field(default_factory=time)

    def all_headers(self) -> list[tuple[str, bytes]]:
        """The original's headers and ours, in the manner of Kafka Streams' (KIP-1034)."""
        ours = self._own_headers()
        return [(name, value) for name, value in self.headers if name not in ours] + list(ours.items())

    def _own_headers(self) -> dict[str, bytes]:
        ours: dict[str, str] = {
            PREFIX + "exception": type(self.error).__name__,
            PREFIX + "message": _short(str(self.error)),
            PREFIX + "stage": self.stage,
            PREFIX + "topic": self.topic,
            PREFIX + "partition": str(self.partition),
            PREFIX + "offset": str(self.offset),
            PREFIX + "timestamp": str(self.timestamp),
            PREFIX + "failed_at": f"{self.failed_at:.3f}",
            ATTEMPTS_HEADER: str(self.attempts),
        }
        if self.plugin is not None:
            ours[PREFIX + "plugin"] = self.plugin
        if self.revision is not None:
            ours[REVISION_HEADER] = f"{self.revision.partition}:{self.revision.offset}"
        return {name: value.encode("utf-8", "replace") for name, value in ours.items()}

    def without_body(self) -> tuple[bytes | None, list[tuple[str, bytes]]]:
        """Key and headers of a letter that is too large to be kept whole.

        The body stays where it was read, which the headers say; its digest and size tell it again.
        The original's own headers may be what is too large, so only ours are kept.
        """
        body = self.body or b""
        ours = self._own_headers()
        ours[PREFIX + "body.sha256"] = sha256(body).hexdigest().encode()
        ours[PREFIX + "body.bytes"] = str(len(body)).encode()
        key = self.key if self.key is None or len(self.key) <= MESSAGE_BYTES else None
        return key, list(ours.items())


def _short(message: str) -> str:
    data = message.encode("utf-8", "replace")
    if len(data) <= MESSAGE_BYTES:
        return message
    return data[:MESSAGE_BYTES].decode("utf-8", "ignore") + "…"


_REVISION: Final = re.compile(rb"(\d{1,9}):(\d{1,18})")


def first_read(headers: Mapping[str, bytes], partition: int, offset: int) -> Revision:
    """The revision of a message: its own place, or for a replayed one the first it was read at."""
    if headers and (match := _REVISION.fullmatch(headers.get(REVISION_HEADER) or b"")):
        return Revision(int(match[1]), int(match[2]))
    return Revision(partition, offset)


def attempts_before(headers: Mapping[str, bytes]) -> int:
    """How often a message failed before it was sent round again."""
    value = headers.get(ATTEMPTS_HEADER) or b""
    return int(value) if value.isdigit() and len(value) < 9 else 0
