"""The Bottom-Up Faster R-CNN: objects with attributes (Anderson et al. 2018). Imports torch.

A ResNet-101 up to its third stage makes a map; a small network proposes regions of it; the fourth
stage looks at each region, pooled to 14 x 14 cells, without making it smaller. The mean of its cells is
the region. From there on one linear layer says what it is, one where exactly, and an attribute head,
given also what it is, how it is.

The ResNet is of Caffe's kind: the first convolution of a stage makes its map smaller, not the second,
and pixels are blue, green, red without division.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import Bottleneck
from torchvision.ops import clip_boxes_to_image, nms, roi_pool

from streamproc_vision.boxes import cell_anchors, decode, grid_anchors
from streamproc_vision.conv_net import make_resnet
from streamproc_vision.sizes import BottomUpSizes, ResNetSizes

ANCHOR_SIDES: Final = (64, 128, 256, 512)
ANCHOR_RATIOS: Final = (0.5, 1.0, 2.0)
_STRIDE: Final = 16
_POOLED: Final = 14
_TOGETHER: Final = 50
"""Regions that the fourth stage looks at together: 300 would take 2 GB."""
_MAP: Final = 1024
_REGION: Final = 2048
_PROPOSAL_WEIGHTS: Final = (1.0, 1.0, 1.0, 1.0)
_BOX_WEIGHTS: Final = (10.0, 10.0, 5.0, 5.0)


@dataclass(frozen=True, slots=True, eq=False)
class RegionsSeen:
    """What the network says of the R regions of one picture.

    Attributes:
        proposals: boxes in pixels, (R, 4).
        scores: probabilities of the C classes, without the background's, (R, C).
        deltas: by class, how a region's box is to be moved, (R, C, 4).
        features: (R, 2048).
    """

    proposals: Tensor
    scores: Tensor
    deltas: Tensor
    features: Tensor


class BottomUp(nn.Module):
    """The network; weights by torchvision's names for the ResNet.

    Args:
        sizes: of config.json.
    """

    def __init__(self, sizes: BottomUpSizes) -> None:
        super().__init__()
        self.sizes = sizes
        classes = len(sizes.objects)
        self.trunk = _caffe_resnet(sizes)
        self.proposal = nn.Conv2d(_MAP, sizes.proposal_channels, 3, padding=1)
        self.objectness = nn.Conv2d(sizes.proposal_channels, sizes.anchors, 1)
        self.anchor_deltas = nn.Conv2d(sizes.proposal_channels, sizes.anchors * 4, 1)
        self.register_buffer("cells", torch.zeros(sizes.anchors, 4))
        self.classes = nn.Linear(_REGION, classes + 1)  # the last one is the background
        self.boxes = nn.Linear(_REGION, classes * 4)
        self.class_embedding = nn.Embedding(classes + 1, sizes.class_embedding)
        self.attribute_hidden = nn.Linear(_REGION + sizes.class_embedding, sizes.attribute_channels)
        self.attributes = nn.Linear(sizes.attribute_channels, len(sizes.attributes) + 1)  # the last: none

    def forward(self, pixels: Tensor) -> RegionsSeen:
        """Look at one picture.

        Args:
            pixels: blue, green, red without their mean, (1, 3, H, W).
        """
        height, width = pixels.shape[-2:]
        trunk = self.trunk
        maps: Tensor = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(pixels))))
        maps = trunk.layer3(trunk.layer2(trunk.layer1(maps)))
        proposals = self._propose(maps, (height, width))
        # Never in half precision: it would round the boxes to several pixels.
        maps = maps.float()
        features = torch.cat([self._look_at(maps, some) for some in torch.split(proposals, _TOGETHER)])
        scores = self.classes(features).float().softmax(-1)[:, :-1]
        deltas = self.boxes(features).float().view(-1, len(self.sizes.objects), 4)
        return RegionsSeen(proposals, scores, deltas, features)

    def _look_at(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Some regions of the map, (n, 2048)."""
        seen: Tensor = self.trunk.layer4(roi_pool(maps, [boxes], _POOLED, 1 / _STRIDE))
        return seen.mean((2, 3))

    def attributes_of(self, features: Tensor, classes: Tensor) -> Tensor:
        """Probabilities of attributes, without that of having none.

        softmax(W2 relu(W1 [v ; E c])) for region v and class c (Anderson et al. 2018, section 3.1).

        Args:
            features: (R, 2048).
            classes: what each region is, (R,).

        Returns:
            (R, A).
        """
        both = torch.cat((features, self.class_embedding(classes).to(features.dtype)), dim=1)
        likely: Tensor = self.attributes(torch.relu(self.attribute_hidden(both))).float().softmax(-1)
        return likely[:, :-1]

    def decode(self, seen: RegionsSeen, rows: Tensor, classes: Tensor, size: tuple[int, int]) -> Tensor:
        """The boxes of some regions under some classes, (n, 4) in pixels, inside the picture."""
        boxes = decode(seen.proposals[rows], seen.deltas[rows, classes], _BOX_WEIGHTS)
        inside: Tensor = clip_boxes_to_image(boxes, size)
        return inside

    def _propose(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """The most likely regions, (R, 4) in pixels; of those that overlap the likelier one."""
        sizes = self.sizes
        hidden = torch.relu(self.proposal(maps))
        likely = self.objectness(hidden)[0].permute(1, 2, 0).flatten().float()
        rows, columns = maps.shape[-2:]
        deltas = self.anchor_deltas(hidden)[0].float().view(-1, 4, rows, columns)
        anchors = grid_anchors(self.get_buffer("cells").float(), rows, columns, _STRIDE)
        boxes = decode(anchors, deltas.permute(2, 3, 0, 1).reshape(-1, 4), _PROPOSAL_WEIGHTS)
        likely, order = likely.sort(descending=True, stable=True)
        first = order[: sizes.proposals_before]
        boxes, likely = clip_boxes_to_image(boxes[first], size), likely[: sizes.proposals_before]
        whole = (boxes[:, 2:] > boxes[:, :2]).all(-1)
        boxes, likely = boxes[whole], likely[whole]
        kept: Tensor = nms(boxes, likely, sizes.proposals_iou)
        best: Tensor = boxes[kept[: sizes.proposals_after]]
        return best


def published_anchors() -> Tensor:
    """The anchors of the published network, (12, 4)."""
    return cell_anchors(ANCHOR_SIDES, ANCHOR_RATIOS)


def _caffe_resnet(sizes: BottomUpSizes) -> ResNet:
    resnet = make_resnet(
        ResNetSizes(network="resnet", blocks=sizes.blocks, width_per_group=sizes.width_per_group)
    )
    resnet.maxpool = nn.MaxPool2d(3, stride=2, padding=0, ceil_mode=True)
    for stage in (resnet.layer2, resnet.layer3):
        _stride_first(stage[0], 2)
    # Regions stay 14 x 14 cells; what a wider step would have seen, dilation sees.
    _stride_first(resnet.layer4[0], 1)
    for block in resnet.layer4:
        block.conv2.dilation = block.conv2.padding = (2, 2)
    return resnet


def _stride_first(block: Bottleneck, stride: int) -> None:
    """The stride of a stage's first block into its first convolution."""
    block.conv1.stride = block.downsample[0].stride = (stride, stride)
    block.conv2.stride = (1, 1)
