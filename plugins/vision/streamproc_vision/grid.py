"""The picture as 7 x 7 cells: ResNet-152's last convolution map (yu2020-umt section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Value
from streamproc_vision.cnn import ResNetEngine


class GridEngine(ResNetEngine):
    """Modality `grid`: (49, 2048) fp16, cells row by row, after the last ReLU."""

    name = "grid"
    modality: ClassVar[Modality] = "grid"

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """The cells of each picture."""
        return list(self.maps(pictures).astype(np.float16))
