"""The whole picture as one vector: ResNet-152, pooled (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Value
from streamproc_vision.cnn import ResNetEngine


class GlobalEngine(ResNetEngine):
    """Modality `global`: (2048,) fp16, the mean of the 49 cells."""

    name = "global"
    modality: ClassVar[Modality] = "global"

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """One vector for each picture."""
        return list(self.maps(pictures).mean(axis=1).astype(np.float16))
