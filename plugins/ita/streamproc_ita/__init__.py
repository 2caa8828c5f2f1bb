"""Image-text alignments for multimodal named entity recognition (Wang et al. 2022), as a plugin."""

__version__ = "0.1.0"
