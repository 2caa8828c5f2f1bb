"""What is wanted of a picture: by which extractor, under which name it is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamproc.errors import ExtractorAway
from streamproc.vision.api import Extractor, Outcome
from streamproc.vision.checks import check_value
from streamproc.vision.failures import Failure


@dataclass(frozen=True, slots=True)
class Want:
    """An extractor, and the name that its outcomes are remembered by."""

    extractor: Extractor
    name: str


def nobody_would_look(
    wants: Mapping[str, Want], known: Mapping[str, Outcome], fresh: bool
) -> dict[str, Outcome] | None:
    """Why not, for each that is not known, where fetching the picture would lead to no look."""
    missing = {key: want.extractor for key, want in wants.items() if key not in known}
    if not missing:
        return {} if fresh else None
    reasons = {key: extractor.unavailable() for key, extractor in missing.items()}
    if not all(reasons.values()):
        return None
    return {key: Failure.of(ExtractorAway(reason or "")) for key, reason in reasons.items()}


def is_sound(outcome: Outcome, extractor: Extractor) -> bool:
    """Whether a remembered value is what a model can rely on: a cache may hold what others wrote."""
    if isinstance(outcome, Failure):
        return True
    try:
        check_value(extractor.modality, outcome, width=extractor.width)
    except ValueError:
        return False
    return True
