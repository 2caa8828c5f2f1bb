"""The whole picture as one vector of 1024 numbers: GoogLeNet's last hidden layer (moon2018 section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Value
from streamproc_vision.cnn import CnnConfig, CnnEngine
from streamproc_vision.network import sizes_of
from streamproc_vision.sizes import GoogLeNetSizes


class GoogLeNetConfig(CnnConfig):
    """No hub carries these weights as safetensors: there is no name to begin with."""

    weights: str = ""


class GlobalInceptionEngine(CnnEngine):
    """Modality `global`, an engine beside the ResNet's: (1024,) fp16, the mean of GoogLeNet's cells."""

    name = "global_inception"
    modality: ClassVar[Modality] = "global"
    Config = GoogLeNetConfig
    width = 1024
    how_to_get = (
        "make them of torchvision's file with `streamproc vision convert googlenet-1378be20.pth "
        "--network googlenet --to FOLDER`"
    )

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """One vector for each picture."""
        return list(self.maps(pictures).mean(axis=1).astype(np.float16))

    def _build(self) -> None:
        from streamproc_vision.conv_net import load_googlenet

        sizes = sizes_of(self.weights, GoogLeNetSizes, self.name)
        self._network = load_googlenet(self.weights, sizes, self.device, self.config.precision)
