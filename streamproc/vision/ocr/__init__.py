"""Reading the writing in pictures: modality `ocr`."""

from streamproc.vision.ocr.engine import OcrConfig, OcrEngine

__all__ = ["OcrConfig", "OcrEngine"]
