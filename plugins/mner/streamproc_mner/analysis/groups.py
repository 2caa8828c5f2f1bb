"""Models under one name: one, or several that differ in their seed only, of which means are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamproc.errors import SettingsError
from streamproc_mner.evaluation.loading import LoadedModel


@dataclass(frozen=True, slots=True)
class Group:
    """Loaded models under one name."""

    name: str
    models: tuple[LoadedModel, ...]


def groups_named(arguments: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Models as they are given: each a name or a folder, or `NAME=FOLDER,FOLDER,...` for seeds.

    Raises:
        SettingsError: a name is given twice, or a group has no models.
    """
    groups: dict[str, tuple[str, ...]] = {}
    for argument in arguments:
        name, equals, listed = argument.partition("=")
        members = tuple(part for part in listed.split(",") if part)
        if not equals or Path(argument).exists():
            name, members = argument, (argument,)
        if not name or not members:
            raise SettingsError(f"{argument}: expected a model, or NAME=FOLDER,FOLDER,... for seeds")
        if name in groups:
            raise SettingsError(f"{name} is named twice: name one of them otherwise: NAME=MODEL")
        groups[name] = members
    return groups
