"""The Unified Multimodal Transformer of Yu et al. 2020 for multimodal NER, as a plugin."""

__version__ = "0.1.0"
