"""What a store of bytes is, and under which keys a cache keeps what there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

from streamproc.vision.api import CacheCounts

PICTURE: Final = "streamproc:picture:"
URL: Final = "streamproc:url:"
LEASE: Final = "streamproc:lease:"

Claim: TypeAlias = bytes | AbstractAsyncContextManager[None] | None
"""What meets who wants to look: a value that is there meanwhile; its turn, which lasts as long as the
context; or `None` while it is somebody else's."""


def picture_key(digest: str, name: str) -> str:
    """Where an outcome is kept. The braces keep all of one picture in one slot of a cluster."""
    return f"{PICTURE}{{{digest}}}:{name}"


def lease_key(digest: str, name: str) -> str:
    """Where it says whose turn it is."""
    return f"{LEASE}{{{digest}}}:{name}"


def url_key(url: str) -> str:
    """Where it is kept where a URL led."""
    return URL + sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


class Store(Protocol):
    """Keeps bytes under keys, each for its time. Knows nothing while it is away; never raises for that.

    Attributes:
        counts: totals; the store counts what it refused and what failed.
    """

    counts: CacheCounts

    async def follow(self, link: str, names: Sequence[str]) -> tuple[bytes | None, list[bytes | None]]:
        """What is under the key `link`, and the outcomes with these names of the picture it leads to."""
        ...

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is under keys of one picture, `None` for what is not known."""
        ...

    async def put(self, key: str, data: bytes, seconds: float) -> None:
        """Keep bytes for a time."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a key."""
        ...

    async def claim(self, digest: str, name: str) -> Claim:
        """An outcome if it is known, else the turn to look if nobody has it."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
