"""A transformer encoder with a CRF or a softmax on top, the baseline of multimodal NER, as a plugin."""

__version__ = "0.1.0"
