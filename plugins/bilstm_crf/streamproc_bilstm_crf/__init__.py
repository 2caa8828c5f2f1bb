"""Recurrent taggers over words, characters and a global image vector, as a plugin."""

__version__ = "0.1.0"
