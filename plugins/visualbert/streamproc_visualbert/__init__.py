"""VisualBERT over a post and the regions of its picture (Chen et al. 2021), as a plugin."""

__version__ = "0.1.0"
