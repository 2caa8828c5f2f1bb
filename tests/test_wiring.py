"""What a start loads: every plugin that a route names, once."""

from streamproc.settings import PluginSettings, Settings
from streamproc.wiring import load_plugins


def test_every_plugin_of_the_routes_is_loaded_once() -> None:
    routes = [
        {"when": {"lang": ["xx"]}, "primary": "mine"},
        {"primary": "capitals", "shadow": [{"plugin": "mine"}]},
    ]
    plugins = {"mine": PluginSettings(plugin="capitals"), "unused": PluginSettings(plugin="nowhere")}
    loaded = load_plugins(Settings.model_validate({"plugins": plugins, "routes": routes}))
    assert {name: found.plugin.name for name, found in loaded.items()} == {
        "capitals": "capitals",
        "mine": "capitals",
    }
