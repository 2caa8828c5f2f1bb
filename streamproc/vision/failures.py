"""Why a picture gave nothing, as it is remembered and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamproc.errors import ExtractorAway, PictureError

_REASON_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a picture gave nothing, in words for the output. Holds on to no exception and no data.

    `away`: nothing is known against the picture, its extractor could not be asked.
    """

    reason: str
    away: bool = False

    @classmethod
    def of(cls, error: PictureError) -> Failure:
        """The kind of error, and what it says."""
        return cls(f"{error.reason}: {error}"[:_REASON_CHARS], isinstance(error, ExtractorAway))
