"""Multimodal named entity recognition: the model library that streamproc's model plugins share."""

__version__ = "0.1.0"
