"""All targets, those that cost least first."""

from __future__ import annotations

from typing import Final

from tests.fuzz import configured, labelled, letters, models, posts, remembered
from tests.fuzz.target import Target

TARGETS: Final[tuple[Target, ...]] = tuple(
    sorted(
        (
            *posts.TARGETS,
            *configured.TARGETS,
            *letters.TARGETS,
            *remembered.TARGETS,
            *labelled.TARGETS,
            *models.TARGETS,
        ),
        key=lambda target: target.cost,
    )
)
