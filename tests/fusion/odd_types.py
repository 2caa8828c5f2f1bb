"""Values that are nearly what a tagging holds."""

from __future__ import annotations

from streamproc.entities import Entity
from streamproc.fusion.api import Tagging


class Text(str):
    """A string of another type."""

    __slots__ = ()


class Number(float):
    """A float that says something else when it is asked."""

    def __float__(self) -> float:
        return float("nan")


class OwnEntity(Entity, frozen=True, array_like=True):
    """Would be written as an array."""

    extra: object = None


class MoreTagging(Tagging, frozen=True):
    """Carries what is nobody's business."""

    more: object = None
