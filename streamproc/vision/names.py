"""The extractors that streamproc knows: their names, what each gives, and how wide its vectors are.

A worker that asks a Triton server needs no more than this of them: the networks are installed there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streamproc.vision.visuals import Modality


class Known(NamedTuple):
    """What an extractor gives: a modality, and D of its vectors (`None` for what people can read)."""

    modality: Modality
    width: int | None = None


KNOWN: Final[dict[str, Known]] = {
    "ocr": Known("ocr"),
    "captions": Known("captions"),
    "objects": Known("objects"),
    "grid": Known("grid", 2048),
    "global": Known("global", 2048),
    "global_inception": Known("global", 1024),
    "regions": Known("regions", 1024),
}
