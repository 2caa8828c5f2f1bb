"""An engine for a Triton server to run: a network that a CPU runs more cheaply in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

from streamproc.vision.engine import Engine, NoEngineConfig, Pixels
from streamproc.vision.visuals import Modality, Value

SIDE: Final = 64
"""Of the pictures, in pixels."""
WIDTH: Final = 512


class SmallResNet(Engine[NoEngineConfig]):
    """ResNet-18 with random weights, pooled; on square pictures of `SIDE` pixels, as they are."""

    name = "global"
    modality: ClassVar[Modality] = "global"
    width = WIDTH

    def __init__(self, config: NoEngineConfig, device: str = "cpu") -> None:
        super().__init__(config, device)
        self.version = "small-resnet"

    def load(self) -> None:
        torch.manual_seed(1)
        self._network = resnet18().eval()
        self._network.fc = nn.Identity()

    @torch.inference_mode()
    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        shown = [picture[:SIDE, :SIDE] for picture in pictures]
        pixels = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 255
        return list(self._network(pixels).numpy().astype(np.float16))
