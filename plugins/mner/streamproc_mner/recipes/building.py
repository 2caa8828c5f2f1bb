"""A recipe's network, with weights that are still to be trained. Needs torch and the recipe's plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from streamproc.errors import PluginError, SettingsError
from streamproc.fusion.discovery import find_plugin
from streamproc_mner.family import TaggerPlugin
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.tagger import NetworkSettings, Parts, Tagger
from streamproc_mner.recipes.recipe import Recipe


def network_class(recipe: Recipe) -> type[Tagger]:
    """The network of a recipe's plugin.

    Raises:
        PluginError: the plugin is not installed, or not one of this library.
    """
    plugin = find_plugin(recipe.plugin)
    if not issubclass(plugin, TaggerPlugin):
        raise PluginError(f"{recipe.name}: the plugin {recipe.plugin!r} has no network that can be built")
    return plugin.network_class()


def network_settings(recipe: Recipe, changes: Mapping[str, Any] | None = None) -> NetworkSettings:
    """All settings of a recipe's network, those that it leaves to the plugin's defaults included.

    Args:
        recipe: what to build.
        changes: settings that replace the recipe's.

    Raises:
        PluginError: the plugin is not installed.
        SettingsError: a setting is not one of this network.
    """
    settings = network_class(recipe).Settings
    try:
        return settings.model_validate({**recipe.network, **(changes or {})})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(("network", *map(str, first["loc"])))
        raise SettingsError(f"{recipe.name}: {where}: {first['msg']}") from None


def build_network(recipe: Recipe, parts: Parts, changes: Mapping[str, Any] | None = None) -> Tagger:
    """A recipe's network; see `network_settings`."""
    network: Any = network_class(recipe)
    built: Tagger = network(network_settings(recipe, changes), bio_labels(recipe.types), parts)
    return built
