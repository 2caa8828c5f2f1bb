"""Settings of the engines that find boxes in a picture. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streamproc_vision.network import NetworkConfig

Most = Annotated[int, Field(ge=1, le=100)]
Probability = Annotated[float, Field(ge=0, le=1)]
Overlap = Annotated[float, Field(gt=0, le=1)]


class BoxesConfig(NetworkConfig):
    """Which boxes. No hub carries such weights as safetensors: there is no name to begin with.

    Attributes:
        most: boxes of a picture at most; the most certain ones.
        min_score: below which a box is left out.
        iou: above which the less certain one of two boxes of one class goes.
    """

    weights: str = ""
    most: Most
    min_score: Probability
    iou: Overlap
