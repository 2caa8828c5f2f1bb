"""Visual attention for multimodal named entity recognition (Lu et al. 2018), as a plugin."""

__version__ = "0.1.0"
