"""Settings: one typed, frozen tree from a TOML file, the environment and flags.

Later ones win: defaults, the file, `STREAMPROC_SECTION__KEY` variables, `--set section.key=value`
and the flags of a command.
"""

from streamproc.settings.broker import Kafka, Topics
from streamproc.settings.loading import load_settings
from streamproc.settings.plugins import PluginSettings
from streamproc.settings.running import Batching, Health
from streamproc.settings.tree import Settings
from streamproc.settings.vision import EngineSettings, Vision

__all__ = [
    "Batching",
    "EngineSettings",
    "Health",
    "Kafka",
    "PluginSettings",
    "Settings",
    "Topics",
    "Vision",
    "load_settings",
]
