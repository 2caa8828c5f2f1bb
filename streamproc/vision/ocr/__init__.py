"""Reading the writing in pictures: modality `ocr`."""

from streamproc.vision.ocr.engine import OcrConfig, OcrEngine
from streamproc.vision.ocr.engine import OcrEngine as RapidOcrEngine

__all__ = ["OcrConfig", "OcrEngine", "RapidOcrEngine"]
