"""The adaptive co-attention network for named entity recognition (Zhang et al. 2018), as a plugin."""

__version__ = "0.1.0"
