"""torchvision's Faster R-CNN, asked for its regions. Imports torch: the engine imports it when loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import AnchorGenerator, RPNHead
from torchvision.ops import batched_nms, clip_boxes_to_image
from torchvision.ops.misc import FrozenBatchNorm2d

from streamproc.vision.engine import Pixels
from streamproc_vision.conv_net import make_resnet
from streamproc_vision.network import Precision
from streamproc_vision.pixels import thickened
from streamproc_vision.sizes import DetectorSizes, ResNetSizes
from streamproc_vision.state import DTYPES, fill, read_state
from streamproc_vision.weights import Weights

_POOLED: Final = 7
_LAYERS: Final = {"layer1": "0", "layer2": "1", "layer3": "2", "layer4": "3"}
_CHANNELS: Final = [256, 512, 1024, 2048]
_ANCHOR_SIZES: Final = ((32,), (64,), (128,), (256,), (512,))
_SMALLEST: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Regions of one picture, most certain first.

    Attributes:
        boxes: left, top, right, bottom as fractions of the picture, (n, 4).
        scores: of the best class, (n,).
        features: of the box head, (n, D).
    """

    boxes: Tensor
    scores: Tensor
    features: Tensor


class FpnDetector:
    """Finds regions in one picture at a time: there is no padding that depends on other pictures.

    Args:
        network: with its weights.
        device: where it is to run.
        precision: of convolutions and linear layers; boxes are float32 always.
        most: how many regions at most.
        min_score: below which a region is left out.
        iou: above which the less certain one of two regions of a class goes.
    """

    def __init__(
        self,
        network: FasterRCNN,
        device: str,
        precision: Precision,
        *,
        most: int,
        min_score: float,
        iou: float,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        # What the proposals' head says is added to anchors in its own precision: half of it would
        # round boxes to several pixels.
        network.rpn.head.register_forward_hook(_in_float32)
        self._device = torch.device(device)
        self._dtype = DTYPES[precision]
        self._most, self._min_score, self._iou = most, min_score, iou

    @torch.inference_mode()
    def regions(self, picture: Pixels) -> Found:
        """The regions of a picture (height, width, 3)."""
        pixels = torch.tensor(thickened(picture), device=self._device).permute(2, 0, 1).float().div(255)
        network = self._network
        roi = network.roi_heads
        reduced = self._dtype is not torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=reduced):
            images, _ = network.transform([pixels])
            maps = network.backbone(images.tensors)
            proposals, _ = network.rpn(images, maps)
            pooled = roi.box_roi_pool(maps, proposals, images.image_sizes)
            features = roi.box_head(pooled)
            logits, deltas = roi.box_predictor(features)
        boxes = roi.box_coder.decode(deltas.float(), proposals)
        return self._best(boxes, logits.float(), features.float(), images.image_sizes[0])

    def _best(self, boxes: Tensor, logits: Tensor, features: Tensor, size: tuple[int, int]) -> Found:
        """Each region once, under its best class; by class, those that overlap with a better one go."""
        scores, classes = logits.softmax(-1)[:, 1:].max(-1)  # 0 is the background
        rows = torch.arange(len(scores), device=scores.device)
        chosen = clip_boxes_to_image(boxes[rows, classes + 1], size)
        wide = (chosen[:, 2:] - chosen[:, :2] >= _SMALLEST).all(-1) & (scores >= self._min_score)
        rows = rows[wide]
        kept = rows[batched_nms(chosen[rows], scores[rows], classes[rows], self._iou)][: self._most]
        height, width = size
        fractions = chosen[kept] / chosen.new_tensor([width, height, width, height])
        return Found(fractions.clamp(0, 1), scores[kept], features[kept])


def _in_float32(_module: nn.Module, _given: object, said: tuple[list[Tensor], list[Tensor]]) -> Any:
    return tuple([level.float() for level in levels] for levels in said)


def load_detector(weights: Weights, sizes: DetectorSizes, *, shorter: int, longer: int) -> FasterRCNN:
    """The network with its weights.

    Args:
        weights: in torchvision's names.
        sizes: of config.json.
        shorter: side of the picture that the network sees, in pixels, unless
        longer: would be exceeded by the other.

    Raises:
        PluginError: the weights are not those of its config.json.
    """
    network = make_detector(sizes, shorter=shorter, longer=longer)
    fill(network, read_state(weights.folder), str(weights.folder))
    return network


def make_detector(sizes: DetectorSizes, *, shorter: int = 800, longer: int = 1333) -> FasterRCNN:
    """The network of given sizes: torchvision's own functions make it of one size only."""
    second = sizes.network == "fasterrcnn_resnet50_fpn_v2"
    norm = nn.BatchNorm2d if second else _norm_without_eps
    resnet = make_resnet(
        ResNetSizes(network="resnet", blocks=sizes.blocks, width_per_group=sizes.width_per_group), norm
    )
    backbone = BackboneWithFPN(
        resnet, _LAYERS, _CHANNELS, sizes.channels, norm_layer=nn.BatchNorm2d if second else None
    )
    anchors = AnchorGenerator(_ANCHOR_SIZES, ((0.5, 1.0, 2.0),) * len(_ANCHOR_SIZES))
    head: nn.Module
    if second:
        shape = (sizes.channels, _POOLED, _POOLED)
        head = FastRCNNConvFCHead(shape, [sizes.channels] * 4, [sizes.features], norm_layer=nn.BatchNorm2d)
    else:
        head = TwoMLPHead(sizes.channels * _POOLED**2, sizes.features)
    return FasterRCNN(
        backbone,
        min_size=shorter,
        max_size=longer,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(sizes.channels, 3, conv_depth=2 if second else 1),
        box_head=head,
        box_predictor=FastRCNNPredictor(sizes.features, sizes.classes),
    )


def _norm_without_eps(channels: int) -> FrozenBatchNorm2d:
    # The published weights of the first release were trained without.
    return FrozenBatchNorm2d(channels, eps=0.0)
