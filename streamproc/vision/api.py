"""What an extractor is, and what remembers its values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.visuals import Modality, Value, Visual


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: `pixels` are RGB uint8 (height, width, 3), EXIF orientation applied.

    `digest` is the sha256 (hex) of the bytes as fetched: the picture's identity.
    """

    digest: str
    pixels: NDArray[np.uint8]


class Extractor(ABC):
    """Looks at pictures for one modality, in this process or on a server.

    Attributes:
        modality: what it gives.
        version: hash of weights, engine and every parameter; part of the cache key, so that
            another way of looking never meets this one's values.
    """

    modality: Modality
    version: str

    @abstractmethod
    async def extract(self, pictures: Sequence[Picture]) -> list[Value]:
        """One value for each picture, in order.

        Raises:
            ExtractorUnavailable: it could not look now; nothing was seen.
        """

    async def close(self) -> None:
        """Give back what the extractor holds."""


class Cache(Protocol):
    """Remembers values by key. Never raises for being away: it then knows nothing."""

    async def get(self, keys: Sequence[str]) -> list[Value | None]:
        """What is known, `None` for what is not; one round trip."""
        ...

    async def put(self, values: dict[str, Value]) -> None:
        """Remember these."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class Looking(Protocol):
    """Looks at the pictures of one post. Never raises for a picture that cannot be had."""

    @property
    def modalities(self) -> Collection[Modality]:
        """What a look can give here."""
        ...

    async def look(
        self, urls: Sequence[str], modalities: Collection[Modality], *, show: bool = False
    ) -> dict[Modality, Visual]:
        """What was seen, or why not, for each modality; `show` asks for thumbnails too."""
        ...
