"""What is sent, and what is too large to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from streamproc.errors import Fate, StreamprocError


class Outgoing(Struct, frozen=True, gc=False):
    """A message to send.

    `timestamp` is in milliseconds since 1970, None for now. A message without value is a
    tombstone and needs a key. `partition` is for what belongs beside another message; without it
    the key decides.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None
    partition: int | None = None


class RecordTooLarge(StreamprocError):
    """The topic does not take messages of this size. All the others of the call were delivered.

    Attributes:
        indices: positions of the refused messages in what `send` was given.
    """

    fate: ClassVar[Fate] = Fate.DEAD_LETTER

    def __init__(self, messages: Sequence[Outgoing], indices: Sequence[int]) -> None:
        self.indices = tuple(indices)
        first = messages[self.indices[0]]
        super().__init__(
            f"{len(indices)} of {len(messages)} messages are too large, the first has "
            f"{len(first.value or b'')} bytes for topic {first.topic} (key {first.key!r}): "
            "raise the topic's max.message.bytes, or send less"
        )
