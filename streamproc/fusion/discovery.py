"""Finding plugins and trained models among the installed packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from streamproc.errors import PluginError
from streamproc.fusion.api import API_VERSION, FusionModel, FusionPlugin, ModelPackage, Need
from streamproc.fusion.model_checks import model_fault
from streamproc.installed import installed, load_entry
from streamproc.settings import PluginSettings
from streamproc.vision.visuals import Modality

PLUGIN_GROUP: Final = "streamproc.fusion"
MODEL_GROUP: Final = "streamproc.models"
FOLDER_GROUP: Final = "streamproc.model_folders"
"""Functions from a folder to the name of the plugin that serves the saved model in it."""


@dataclass(frozen=True, slots=True)
class PluginFacts:
    """What there is to know of a plugin with its model, wherever the model is.

    Attributes:
        name: that routes use.
        version: of the plugin's code.
        model: its name, and `model_version` which one of that name.
        modalities: what the model wants to see, required or optional.
        widths: of the vectors that it was trained on, where a modality has several.
        look_threshold: of `look = uncertain` without a number.
        notice: for people who run it.
    """

    name: str
    version: str
    model: str | None
    model_version: str | None
    modalities: Mapping[Modality, Need]
    widths: Mapping[Modality, int]
    look_threshold: float
    notice: str = ""

    @classmethod
    def of(cls, name: str, version: str, model: FusionModel, notice: str = "") -> PluginFacts:
        """The facts of a model that is here."""
        return cls(
            name,
            version,
            model.model,
            model.model_version,
            dict(model.modalities),
            dict(model.widths),
            model.look_threshold,
            notice,
        )


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin with its model, under the name that routes use."""

    name: str
    plugin: FusionPlugin[Any]
    model: FusionModel
    notice: str

    @property
    def facts(self) -> PluginFacts:
        """What can be told of it."""
        return PluginFacts.of(self.name, self.plugin.version, self.model, self.notice)


def plugin_names() -> list[str]:
    """Names of the installed plugins; none of them is imported."""
    return sorted(installed(PLUGIN_GROUP))


def model_names() -> list[str]:
    """Names of the installed trained models; none of them is imported."""
    return sorted(installed(MODEL_GROUP))


def find_plugin(name: str) -> type[FusionPlugin[Any]]:
    """The plugin class behind an entry point, or behind `module:Class` without one.

    Raises:
        PluginError: not installed, cannot be imported, is no plugin, or was written for another
            version of the plugin API.
    """
    found = load_entry(PLUGIN_GROUP, name, "plugin")
    if not (isinstance(found, type) and issubclass(found, FusionPlugin)):
        raise PluginError(f"plugin {name!r}: expected a class derived from FusionPlugin, got {found!r}")
    if found.api_version != API_VERSION:
        raise PluginError(
            f"plugin {name!r} was written for plugin API {found.api_version}, "
            f"this is {API_VERSION}: install a matching release of it"
        )
    return found


def find_model(name: str) -> ModelPackage:
    """The trained model that an installed package carries.

    Raises:
        PluginError: not installed, or not a model.
    """
    found = load_entry(MODEL_GROUP, name, "model")
    if not isinstance(found, ModelPackage):
        raise PluginError(f"model {name!r}: expected a ModelPackage, got {found!r}")
    return found


def plugin_of_folder(folder: Path) -> str:
    """The plugin that serves the saved model of a folder, as an installed package says.

    Raises:
        PluginError: no package takes it for a saved model; says why.
    """
    refused = PluginError(f"{folder}: nobody here reads saved models: pip install streamproc-mner")
    for name in sorted(installed(FOLDER_GROUP)):
        plugin_of: Callable[[Path], str] = load_entry(FOLDER_GROUP, name, "reader of model folders")
        try:
            return plugin_of(folder)
        except PluginError as error:
            refused = error
    raise refused


def load_plugin(name: str, settings: PluginSettings | None = None) -> LoadedPlugin:
    """Load what a route calls `name`: an entry of `[plugins]`, an installed model or plugin, or a folder.

    Args:
        name: as in the route.
        settings: the entry of `[plugins]`, where there is one.

    Raises:
        PluginError: says which plugin, and what to do.
    """
    settings = settings or _implied(name)
    package = _package(name, settings)
    own = name if name in installed(PLUGIN_GROUP) else None
    plugin_name = settings.plugin or (package.plugin if package else None) or own
    if plugin_name is None:
        raise PluginError(
            f"plugins.{name}: give `plugin`, one of {', '.join(plugin_names()) or 'none installed'}"
        )
    plugin_class = find_plugin(plugin_name)
    if package is None and plugin_class.needs_model:
        raise PluginError(
            f"plugin {name!r} needs a trained model: set plugins.{name}.model to a name or folder"
        )
    try:
        plugin = plugin_class(plugin_class.Config(**settings.config))
    except ValidationError as error:
        raise PluginError(f"plugins.{name}.config: {_one_line(error)}") from None
    try:
        model = plugin.load(package.folder if package else None, settings.device)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"plugin {name!r} failed to load its model: {error!r}") from error
    if (fault := model_fault(model)) is not None:
        raise PluginError(f"plugin {name!r}: {fault}")
    return LoadedPlugin(name, plugin, model, package.notice if package else "")


def _implied(name: str) -> PluginSettings:
    """Settings of a name that stands in no `[plugins]` section."""
    if name in installed(MODEL_GROUP):
        return PluginSettings(model=name)
    if name in installed(PLUGIN_GROUP):
        return PluginSettings(plugin=name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return PluginSettings(plugin=plugin_of_folder(folder), model=str(folder))
    known = sorted({*model_names(), *plugin_names()})
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"
    if "/" in name:
        raise PluginError(f"{name!r} is no folder of a saved model, and no plugin or model: {hint}")
    raise PluginError(f"no plugin or model named {name!r}: {hint}; or define [plugins.{name}]")


def _package(name: str, settings: PluginSettings) -> ModelPackage | None:
    models = installed(MODEL_GROUP)
    own = name if settings.plugin is None and name in models else None
    model = settings.model or own
    if model is None:
        return None
    if model in models:
        return find_model(model)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise PluginError(
            f"plugins.{name}.model: {model!r} is neither an installed model "
            f"({', '.join(sorted(models)) or 'none'}) nor a folder"
        )
    return ModelPackage(plugin=settings.plugin or "", folder=folder)


def _one_line(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )
