"""The parts of a look, as they see each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from streamproc.vision.failures import Failure
from streamproc.vision.visuals import Modality, Value, Visual


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture made safe: decoded in the sandbox, upright, RGB, bounded, and encoded again.

    Attributes:
        digest: sha256 (hex) of the bytes as fetched: the picture's identity.
        jpeg: what the sandbox wrote; no byte of the stranger's file is in it.
        width: of `jpeg`, in pixels.
        height: of `jpeg`, in pixels.
    """

    digest: str
    jpeg: bytes
    width: int
    height: int


# -- extractors ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """A value, and the version of the extractor that gave it: a server's may change at any time."""

    value: Value
    version: str


class Extractor(ABC):
    """Looks at pictures for one modality, in this process or on a server.

    Attributes:
        name: the engine's.
        modality: what it gives.
        width: D of its vectors; `None` for what people can read.
    """

    name: str
    modality: Modality
    width: int | None = None

    @abstractmethod
    async def version(self) -> str:
        """Hash of weights, engine and every parameter; part of the cache key.

        Raises:
            ExtractorUnavailable: it cannot be known now.
        """

    def unavailable(self) -> str | None:
        """Why it would not look now, as far as that is known without asking; `None` if it may."""
        return None

    @abstractmethod
    async def extract(self, picture: Picture) -> Extracted:
        """What is to be seen in a picture. Pictures of several callers are looked at together.

        Raises:
            ExtractorUnavailable: it could not look now, or failed on this picture.
        """

    async def close(self) -> None:
        """Give back what the extractor holds."""


# -- what is remembered --------------------------------------------------------------------

Outcome: TypeAlias = Value | Failure
"""What one picture gave for one extractor, or why nothing."""


@dataclass(frozen=True, slots=True)
class UrlEntry:
    """Where a URL led when it was last fetched: to a picture, or to a failure, or to one after the other.

    Attributes:
        checked: when, in seconds since 1970.
        digest: of the picture that was last there.
        failure: why there was none at the last time.
        etag: as the server gave it.
        last_modified: as the server gave it.
    """

    checked: float
    digest: str | None = None
    failure: Failure | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of a URL: where it led, and outcomes of that picture by name."""

    entry: UrlEntry | None = None
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


@dataclass(slots=True)
class CacheCounts:
    """Totals since the start of this process.

    `hits`, `misses`: outcomes that were known or not. `unreadable`: values that could not be decoded
    and were deleted. `too_large`: values that were not kept, or not fetched, for their size. `refused`:
    writes that the server had no room for. `errors`: requests that failed; `away`: whether the last one
    did. `waited`: how often another worker was looking at the same, and was waited for.
    """

    hits: int = 0
    misses: int = 0
    unreadable: int = 0
    too_large: int = 0
    refused: int = 0
    errors: int = 0
    waited: int = 0
    away: bool = False


class Cache(Protocol):
    """Remembers outcomes by the picture's digest and a name, and where URLs led.

    Never raises for being away: it then knows nothing, and everybody may look.
    """

    @property
    def counts(self) -> CacheCounts:
        """What it did so far."""
        ...

    async def recall(self, url: str, names: Sequence[str]) -> Recalled:
        """What is known of a URL and its picture; one round trip, shared with who asks meanwhile."""
        ...

    async def get(self, digest: str, names: Sequence[str]) -> dict[str, Outcome]:
        """What is known of a picture, by name; one round trip."""
        ...

    async def put(self, digest: str, name: str, outcome: Outcome) -> None:
        """Remember what a picture gave; failures for a short time only."""
        ...

    async def put_url(self, url: str, entry: UrlEntry) -> None:
        """Remember where a URL led; failures for a short time only."""
        ...

    def turn(self, digest: str, name: str) -> AbstractAsyncContextManager[Outcome | None]:
        """Wait until no other worker looks at this picture for this name.

        Gives what somebody found meanwhile. `None` is the caller's turn to look and `put`: others
        wait until the context ends, or until a short lease runs out after the caller's death.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


# -- looking -------------------------------------------------------------------------------


class Looking(Protocol):
    """Looks at the pictures of one post. Never raises for a picture that cannot be had."""

    def sees(self, widths: Mapping[Modality, int]) -> Collection[Modality]:
        """What a look can give here to a model with vectors of these widths."""
        ...

    async def look(
        self,
        urls: Sequence[str],
        modalities: Collection[Modality],
        *,
        widths: Mapping[Modality, int] | None = None,
        show: bool = False,
    ) -> dict[Modality, Visual]:
        """What was seen, or why not, for each modality; `show` asks for thumbnails too."""
        ...
