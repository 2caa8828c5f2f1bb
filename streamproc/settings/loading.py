"""Settings from a file, the environment and flags; what is wrong with them, in plain words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from streamproc.errors import SettingsError
from streamproc.settings.tree import Settings
from streamproc.toml import read_toml, read_toml_value

ENVIRONMENT_PREFIX: Final = "STREAMPROC_"

_NEVER_TOML: Final = ("broker", "listen", "password", "key_password")
"""Text that may begin with a bracket: [::1]:9092 is an address."""

_SECRET: Final = ("password", "key_password")

_IN_PLAIN_WORDS: Final = {
    "tuple_type": 'expected a list, such as ["a", "b"]',
    "model_type": "expected a table, such as {key = value}",
    "dict_type": "expected a table, such as {key = value}",
}


def load_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    assignments: Iterable[str] = (),
) -> Settings:
    """Settings from a file, the environment and `section.key=value` assignments.

    Args:
        file: TOML; without one, `STREAMPROC_CONFIG` names it, or there is none.
        environment: by default `os.environ`.
        assignments: what `--set` was given.

    Raises:
        SettingsError: a file that cannot be read, an unknown key (names the nearest one), a value
            of the wrong type or out of range.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    if file is None and named:
        file = Path(named)
    tree = _read_file(file) if file is not None else {}
    for name, value in environment.items():
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if name.startswith(ENVIRONMENT_PREFIX) and (len(path) > 1 or path[0] in Settings.model_fields):
            _assign(tree, path, value, name)
        elif fault := _meant_with_two_underscores(name):
            raise SettingsError(fault)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set {assignment}: expected section.key=value, such as kafka.group=mine")
        _assign(tree, name.split("."), value, f"--set {name}")
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error, file)) from None


def _meant_with_two_underscores(name: str) -> str | None:
    """What is wrong with a variable such as STREAMPROC_KAFKA_BROKER, which would change nothing."""
    section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
    field = Settings.model_fields.get(section) if name.startswith(ENVIRONMENT_PREFIX) else None
    known = _section_of(field.annotation) if field is not None else None
    if known is None or key not in known.model_fields:
        return None
    return f"{name}: unknown variable, did you mean {ENVIRONMENT_PREFIX}{section.upper()}__{key.upper()}?"


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}") from None


def _assign(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """Put a value at its place; lists and tables are written as in TOML, all else as it is."""
    parsed: Any = value
    if value[:1] in "[{" and value and path[-1] not in _NEVER_TOML:
        try:
            parsed = read_toml_value(value)
        except ValueError as error:
            raise SettingsError(f"{name}: {value!r} is not a TOML list or table: {error}") from None
    for part in path[:-1]:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise SettingsError(f"{name}: {part} is a value, not a section")
        tree = child
    tree[path[-1]] = parsed


def _explain(error: ValidationError, file: Path | None) -> str:
    where = f"{file}: " if file is not None else ""
    lines = []
    for complaint in error.errors(include_url=False):
        location = tuple(part for part in complaint["loc"])
        path = ".".join(str(part) for part in location)
        if complaint["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key{_nearest(location)}")
        else:
            said = _IN_PLAIN_WORDS.get(complaint["type"], complaint["msg"].removeprefix("Value error, "))
            lines.append(f"{path}: {said}, got {_shown(complaint['input'], location)}")
    return where + "; ".join(lines)


def _shown(value: Any, location: tuple[int | str, ...]) -> str:
    """What was given, without what nobody else is to read."""
    if location and location[-1] in _SECRET:
        return "***"
    if isinstance(value, Mapping):
        value = {key: "***" if key in _SECRET else inner for key, inner in value.items()}
    return repr(value)


def _nearest(location: tuple[int | str, ...]) -> str:
    known = _keys_beside(location)
    close = get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else f", known are {', '.join(sorted(known))}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """Known keys of the section that a location lies in."""
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        inner = _section_of(field.annotation) if field is not None else None
        section = inner or section
    return list(section.model_fields)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The settings section inside an annotation such as `tuple[Route, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_of(argument)
        if found is not None:
            return found
    return None
