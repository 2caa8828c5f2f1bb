"""torchvision's checkpoints, and which network each is."""

from __future__ import annotations

from typing import Final, Literal

from torch import nn

from streamproc.errors import InputError
from streamproc_vision.conv_net import make_googlenet, make_resnet
from streamproc_vision.converting.layout import State, blocks_of, shape_of, width_of
from streamproc_vision.fpn_detector import make_detector
from streamproc_vision.sizes import DetectorSizes, GoogLeNetSizes, ResNetSizes

_RESNET152: Final = (3, 8, 36, 3)
_POOLED_CELLS: Final = 49
_BODY: Final = "backbone.body."


def read_resnet152(state: State) -> tuple[ResNetSizes, nn.Module, State]:
    """A ResNet-152: its sizes, the network, and its weights by the network's names."""
    blocks = blocks_of(state, "")
    if blocks != _RESNET152:
        raise InputError(f"a ResNet with {blocks} blocks, expected a ResNet-152 with {_RESNET152}")
    sizes = ResNetSizes(network="resnet", blocks=blocks, width_per_group=width_of(state, ""))
    return sizes, make_resnet(sizes), _without(state, "fc.")


def read_googlenet(state: State) -> tuple[GoogLeNetSizes, nn.Module, State]:
    """GoogLeNet; torchvision's weights are for pixels from -1 to 1."""
    shape_of(state, "inception5b.branch1.conv.weight")
    sizes = GoogLeNetSizes(network="googlenet", transform_input=True)
    return sizes, make_googlenet(), _without(state, "fc.", "aux1.", "aux2.")


def read_detector(state: State) -> tuple[DetectorSizes, nn.Module, State]:
    """Faster R-CNN of the first release."""
    channels = shape_of(state, "roi_heads.box_head.fc6.weight")[1] // _POOLED_CELLS
    return _detector(state, "fasterrcnn_resnet50_fpn", "roi_heads.box_head.fc7.weight", channels)


def read_detector_v2(state: State) -> tuple[DetectorSizes, nn.Module, State]:
    """Faster R-CNN of the second release."""
    channels = shape_of(state, "roi_heads.box_head.0.0.weight")[0]
    return _detector(state, "fasterrcnn_resnet50_fpn_v2", "roi_heads.box_head.5.weight", channels)


def _detector(
    state: State,
    network: Literal["fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2"],
    last: str,
    channels: int,
) -> tuple[DetectorSizes, nn.Module, State]:
    sizes = DetectorSizes(
        network=network,
        blocks=blocks_of(state, _BODY),
        width_per_group=width_of(state, _BODY),
        channels=channels,
        features=shape_of(state, last)[0],
        classes=shape_of(state, "roi_heads.box_predictor.cls_score.weight")[0],
    )
    return sizes, make_detector(sizes), state


def _without(state: State, *prefixes: str) -> State:
    return {key: value for key, value in state.items() if not key.startswith(prefixes)}
