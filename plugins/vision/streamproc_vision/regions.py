"""Regions of the picture with their features: Faster R-CNN's box head (chen2021-wnut section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from pydantic import Field

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Regions, Value
from streamproc_vision.boxes_config import BoxesConfig, Most, Overlap, Probability
from streamproc_vision.network import NetworkEngine, sizes_of
from streamproc_vision.sizes import DetectorSizes

if TYPE_CHECKING:
    from streamproc_vision.fpn_detector import FpnDetector

_LONGER: Final = 1333 / 800


class RegionsConfig(BoxesConfig):
    """Which regions.

    Attributes:
        min_score: at 0 a picture always has its `most` best regions, as networks that read regions were
            trained with, also where there is no object at all.
        shorter_side: of the picture that the network sees, in pixels; the longer one is bounded to
            1.67 times that.
    """

    most: Most = 36
    min_score: Probability = 0.0
    iou: Overlap = 0.5
    shorter_side: int = Field(default=800, ge=32, le=2048)


class RegionsEngine(NetworkEngine[RegionsConfig]):
    """Modality `regions`: boxes, scores, and the 1024 numbers of the box head's last layer."""

    name = "regions"
    modality: ClassVar[Modality] = "regions"
    Config = RegionsConfig
    width = 1024
    batch = 4
    how_to_get = (
        "make them of torchvision's file with `streamproc vision convert "
        "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth --network fasterrcnn_resnet50_fpn --to FOLDER`"
    )
    _network: FpnDetector

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """The regions of each picture."""
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: Pixels) -> Regions:
        found = self._network.regions(picture)
        boxes, scores, features = (
            tensor.cpu().numpy().astype(np.float16)
            for tensor in (found.boxes, found.scores, found.features)
        )
        return Regions(boxes, scores, features)

    def _build(self) -> None:
        from streamproc_vision.fpn_detector import FpnDetector, load_detector

        config = self.config
        network = load_detector(
            self.weights,
            sizes_of(self.weights, DetectorSizes, self.name),
            shorter=config.shorter_side,
            longer=round(config.shorter_side * _LONGER),
        )
        self._network = FpnDetector(
            network,
            self.device,
            config.precision,
            most=config.most,
            min_score=config.min_score,
            iou=config.iou,
        )
