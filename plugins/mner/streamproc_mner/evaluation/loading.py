"""Any model by what a person calls it: the folder of a saved model, an installed model, a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionModel
from streamproc.fusion.discovery import find_model, find_plugin, load_plugin, model_names, plugin_names
from streamproc.settings import PluginSettings
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.saved_files import LABELS

_LABELS: Final = TypeAdapter(list[str])


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to be measured.

    Attributes:
        name: as it was asked for.
        model: gives taggings.
        types: the entity types that it knows; `None` where it does not say.
        folder: of the saved model, where it is one.
        notice: what whoever runs it is to be told.
    """

    name: str
    model: FusionModel
    types: tuple[str, ...] | None = None
    folder: Path | None = None
    notice: str = ""


def load_model(name: str, device: str = "cpu", config: Mapping[str, Any] | None = None) -> LoadedModel:
    """Load a model of any plugin.

    Args:
        name: the folder of a saved model, the name of an installed model, or that of an installed
            plugin (or `module:Class`) that needs no model.
        device: `cpu`, `cuda` or `cuda:N`.
        config: of its plugin.

    Raises:
        PluginError: there is no such model, or it cannot be loaded; names what was looked for and
            what there is.
    """
    folder = Path(name).expanduser()
    settings = dict(config or {})
    if name in model_names():
        package = find_model(name)
        asked = PluginSettings(model=name, device=device, config=settings)
        return _load(name, asked, package.folder)
    if folder.is_dir():
        asked = PluginSettings(plugin=plugin_of(folder), model=str(folder), device=device, config=settings)
        return _load(name, asked, folder)
    if name in plugin_names() or _names_a_class(name):
        if find_plugin(name).needs_model:
            raise PluginError(
                f"{name} is a plugin that serves saved models: give the folder of one, or an installed one "
                f"({_listed(model_names())})"
            )
        return _load(name, PluginSettings(plugin=name, device=device, config=settings), None)
    raise PluginError(
        f"{name!r} is no folder of a saved model, no installed model ({_listed(model_names())}) "
        f"and no installed plugin ({_listed(plugin_names())})"
    )


def _load(name: str, settings: PluginSettings, folder: Path | None) -> LoadedModel:
    loaded = load_plugin(name, settings)
    return LoadedModel(name, loaded.model, _types(folder), folder, loaded.notice)


def _types(folder: Path | None) -> tuple[str, ...] | None:
    """The types of `labels.json`; a model of a plugin that keeps them elsewhere does not say."""
    if folder is None or not (folder / LABELS).is_file():
        return None
    try:
        labels = _LABELS.validate_json((folder / LABELS).read_bytes())
    except ValidationError:
        return None
    return tuple(sorted({label[2:] for label in labels if label != "O"}))


def _names_a_class(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
