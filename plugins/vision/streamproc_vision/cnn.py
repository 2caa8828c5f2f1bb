"""What the engines on convolutional networks share: a square picture in, a map of it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.engine import Pixels
from streamproc_vision.network import NetworkConfig, NetworkEngine, sizes_of
from streamproc_vision.pixels import Crop, square
from streamproc_vision.sizes import ResNetSizes

if TYPE_CHECKING:
    from streamproc_vision.conv_net import ConvNet

SIDE: Final = 224


class CnnConfig(NetworkConfig):
    """How a picture is made square.

    Attributes:
        crop: `whole` squeezes the whole picture into 224 x 224 pixels (yu2020-umt section 2.2);
            `centre` keeps its ratio and cuts the middle out, as ImageNet networks are evaluated.
    """

    crop: Crop = "whole"


class CnnEngine(NetworkEngine[CnnConfig]):
    """Makes a map of 7 x 7 cells of a picture."""

    Config = CnnConfig
    _network: ConvNet

    def maps(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """The network's last maps, (B, 49, D), cells row by row."""
        return self._network.maps(np.stack([square(p, SIDE, self.config.crop) for p in pictures]))


class ResNetConfig(CnnConfig):
    """The published ResNet-152 by default."""

    weights: str = "timm/resnet152.tv_in1k"


class ResNetEngine(CnnEngine):
    """Looks with a ResNet."""

    Config = ResNetConfig
    width = 2048
    how_to_get = (
        "get them with `streamproc models pull timm/resnet152.tv_in1k`, or make them of torchvision's "
        "file with `streamproc vision convert resnet152-394f9c45.pth --network resnet152 --to FOLDER`"
    )

    def _build(self) -> None:
        from streamproc_vision.conv_net import load_resnet

        sizes = sizes_of(self.weights, ResNetSizes, self.name)
        self._network = load_resnet(self.weights, sizes, self.device, self.config.precision)
