"""What a start loads: every plugin that a route names, once, and where its settings say."""

from streamproc.settings import PluginSettings, Settings
from streamproc.wiring import open_taggers


async def test_every_plugin_of_the_routes_is_loaded_once() -> None:
    routes = [
        {"when": {"lang": ["xx"]}, "primary": "mine"},
        {"primary": "capitals", "shadow": [{"plugin": "mine"}]},
    ]
    plugins = {
        "mine": PluginSettings(plugin="capitals", isolation="thread"),
        "unused": PluginSettings(plugin="nowhere"),
    }
    settings = Settings.model_validate({"plugins": plugins, "routes": routes})
    async with open_taggers(settings) as taggers:
        assert {name: (tagger.info.name, tagger.info.version) for name, tagger in taggers.items()} == {
            "capitals": ("capitals", "1"),
            "mine": ("mine", "1"),
        }
