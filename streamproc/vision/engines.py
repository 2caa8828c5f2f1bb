"""Finding engines among the installed packages, and opening them by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from streamproc.errors import PluginError, SettingsError
from streamproc.installed import installed, load_entry
from streamproc.vision.engine import Engine
from streamproc.vision.names import KNOWN

ENGINE_GROUP: Final = "streamproc.extractors"


def engine_names() -> list[str]:
    """Names of the installed engines; none of them is imported."""
    return sorted(installed(ENGINE_GROUP))


def find_engine(name: str) -> type[Engine[Any]]:
    """The class behind an entry point, or behind `module:Class` without one.

    Raises:
        PluginError: not installed, cannot be imported, or no engine.
    """
    if name in KNOWN and name not in installed(ENGINE_GROUP):
        raise PluginError(f"extractor {name!r} is in streamproc-vision: pip install ./plugins/vision")
    found = load_entry(ENGINE_GROUP, name, "extractor")
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise PluginError(f"extractor {name!r}: expected a class derived from Engine, got {found!r}")
    return found


def open_engine(name: str, config: Mapping[str, Any], device: str = "cpu") -> Engine[Any]:
    """An engine that knows its version and is not loaded yet.

    Args:
        name: of the entry point.
        config: as in `[vision.engines.NAME]`, without `device`.
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        PluginError: it cannot be had; says what to run.
        SettingsError: the configuration is not what the engine takes.
    """
    engine = find_engine(name)
    try:
        checked = engine.Config(**config)
    except ValidationError as error:
        raise SettingsError(f"vision.engines.{name}: {_one_line(error, engine)}") from None
    return engine(checked, device)


def _one_line(error: ValidationError, engine: type[Engine[Any]]) -> str:
    lines = []
    for complaint in error.errors(include_url=False, include_input=False):
        key = ".".join(map(str, complaint["loc"]))
        if complaint["type"] == "extra_forbidden":
            known = ", ".join(sorted({*engine.Config.model_fields, "device"}))
            lines.append(f"{key}: unknown key, known are {known}")
        else:
            lines.append(f"{key}: {complaint['msg']}")
    return "; ".join(lines)
