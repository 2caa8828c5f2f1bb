"""Made-up values of every modality, for tests."""

from __future__ import annotations

import numpy as np

from streamproc.vision.visuals import (
    Captions,
    DetectedObject,
    Modality,
    Objects,
    OcrLine,
    OcrText,
    Regions,
    Value,
)


def example_value(modality: Modality, seed: int = 0, width: int | None = None) -> Value:
    """A value of a modality as an extractor would give it for one picture; the same for a seed.

    Args:
        modality: what was looked for.
        seed: of the numbers.
        width: of vectors; as the usual extractors give them without it.
    """
    random = np.random.default_rng(seed)
    if modality == "alt":
        return "A crowd in front of the Eiffel Tower"
    if modality == "captions":
        return Captions(("a crowd in front of a tower", "people look up"), (-0.4, -0.9))
    if modality == "objects":
        return Objects((DetectedObject("tower", 0.9, ("tall",)), DetectedObject("person", 0.7)))
    if modality == "ocr":
        return OcrText((OcrLine("PARIS 2024", 0.98, (0.1, 0.1, 0.6, 0.2)),))
    if modality == "grid":
        return random.standard_normal((49, width or 2048)).astype(np.float16)
    if modality == "global":
        return random.standard_normal(width or 2048).astype(np.float16)
    return Regions(
        boxes=np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 1.0, 1.0]], np.float16),
        scores=np.array([0.9, 0.4], np.float16),
        features=random.standard_normal((2, width or 1024)).astype(np.float16),
    )
