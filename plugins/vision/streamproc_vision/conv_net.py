"""ResNet and GoogLeNet up to their last convolution map. Imports torch: engines import it when loaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import GoogLeNet, ResNet
from torchvision.models.resnet import Bottleneck

from streamproc.vision.engine import Pixels
from streamproc_vision.network import Precision
from streamproc_vision.sizes import GoogLeNetSizes, ResNetSizes
from streamproc_vision.state import DTYPES, fill, read_state
from streamproc_vision.weights import Weights

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class ConvNet:
    """A network that makes a map of a picture.

    Args:
        trunk: from pixels of mean 0 and deviation 1 (B, 3, S, S) to maps (B, C, H, W).
        device: where it is to run.
        precision: of its arithmetic.
    """

    def __init__(self, trunk: nn.Module, device: str, precision: Precision) -> None:
        self._dtype = DTYPES[precision]
        self._trunk = trunk.to(device, self._dtype).to(memory_format=torch.channels_last)
        self._mean = torch.tensor(_MEAN, device=device).mul(255)
        self._std = torch.tensor(_STD, device=device).mul(255)

    @torch.inference_mode()
    def maps(self, pixels: Pixels) -> NDArray[np.float32]:
        """The last convolution maps.

        Args:
            pixels: RGB (B, S, S, 3).

        Returns:
            (B, H * W, C), cells row by row.
        """
        given = torch.tensor(pixels, device=self._mean.device)
        scaled = (given - self._mean) / self._std
        maps = self._trunk(scaled.to(self._dtype).permute(0, 3, 1, 2))
        cells: Tensor = maps.flatten(2).transpose(1, 2)
        found: NDArray[np.float32] = cells.float().cpu().numpy()
        return found


def make_resnet(sizes: ResNetSizes, norm: Callable[..., nn.Module] | None = None) -> ResNet:
    """A ResNet without its classifier."""
    resnet = ResNet(
        Bottleneck,
        list(sizes.blocks),
        num_classes=1,
        width_per_group=sizes.width_per_group,
        norm_layer=norm,
    )
    resnet.fc = nn.Identity()
    return resnet


def load_resnet(weights: Weights, sizes: ResNetSizes, device: str, precision: Precision) -> ConvNet:
    """A ResNet with its weights: maps of 2048 channels.

    Raises:
        PluginError: the weights are not those of its config.json.
    """
    resnet = make_resnet(sizes)
    fill(resnet, read_state(weights.folder), str(weights.folder), without=("fc.",))
    trunk = nn.Sequential(
        resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool,
        resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4,
    )  # fmt: skip
    return ConvNet(trunk, device, precision)


def load_googlenet(weights: Weights, sizes: GoogLeNetSizes, device: str, precision: Precision) -> ConvNet:
    """GoogLeNet with its weights: maps of 1024 channels.

    Raises:
        PluginError: the weights are not GoogLeNet's.
    """
    network = make_googlenet()
    fill(network, read_state(weights.folder), str(weights.folder), without=("fc.", "aux1.", "aux2."))
    parts = [part for name, part in network.named_children() if name not in {"avgpool", "dropout", "fc"}]
    before = (_MinusOneToOne(),) if sizes.transform_input else ()
    return ConvNet(nn.Sequential(*before, *parts), device, precision)


def make_googlenet() -> GoogLeNet:
    """GoogLeNet without its classifiers."""
    network = GoogLeNet(num_classes=1, aux_logits=False, init_weights=False)
    network.fc = nn.Identity()
    return network


class _MinusOneToOne(nn.Module):
    """Pixels of ImageNet's mean 0 and deviation 1 → pixels from -1 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(_STD).view(3, 1, 1) / 0.5)
        self.register_buffer("shift", (torch.tensor(_MEAN).view(3, 1, 1) - 0.5) / 0.5)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels * self.get_buffer("scale") + self.get_buffer("shift")
