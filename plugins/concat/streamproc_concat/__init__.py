"""Words, characters and the picture side by side (chen2021-wnut), as a plugin."""

__version__ = "0.1.0"
