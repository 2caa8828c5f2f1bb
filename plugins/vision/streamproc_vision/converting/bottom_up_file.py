"""The public Bottom-Up checkpoints (Anderson et al. 2018), which name their weights as detectron2 does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from torch import nn

from streamproc.errors import InputError
from streamproc_vision.bottom_up import BottomUp, published_anchors
from streamproc_vision.converting.layout import State, blocks_of, shape_of, width_of
from streamproc_vision.sizes import BottomUpSizes

_CELLS: Final = "cells"
_NAMES: Final = (
    # Theirs → ours; the ResNet's are torchvision's. Their stages count from 2, and the last one is
    # the regions'.
    (re.compile(r"^backbone\.stem\.conv1\.norm\."), "trunk.bn1."),
    (re.compile(r"^backbone\.stem\.conv1\."), "trunk.conv1."),
    (re.compile(r"^(?:backbone|roi_heads)\.res2\."), "trunk.layer1."),
    (re.compile(r"^(?:backbone|roi_heads)\.res3\."), "trunk.layer2."),
    (re.compile(r"^(?:backbone|roi_heads)\.res4\."), "trunk.layer3."),
    (re.compile(r"^(?:backbone|roi_heads)\.res5\."), "trunk.layer4."),
    (re.compile(r"(\.\d+)\.conv([123])\.norm\."), r"\1.bn\2."),
    (re.compile(r"\.shortcut\.norm\."), ".downsample.1."),
    (re.compile(r"\.shortcut\."), ".downsample.0."),
    (re.compile(r"^proposal_generator\.rpn_head\.conv\."), "proposal."),
    (re.compile(r"^proposal_generator\.rpn_head\.objectness_logits\."), "objectness."),
    (re.compile(r"^proposal_generator\.rpn_head\.anchor_deltas\."), "anchor_deltas."),
    (re.compile(r"^proposal_generator\.anchor_generator\.cell_anchors\.0$"), _CELLS),
    (re.compile(r"^roi_heads\.box_predictor\.cls_score\."), "classes."),
    (re.compile(r"^roi_heads\.box_predictor\.bbox_pred\."), "boxes."),
    (re.compile(r"^roi_heads\.box_predictor\.cls_embedding\."), "class_embedding."),
    (re.compile(r"^roi_heads\.box_predictor\.fc_attr\."), "attribute_hidden."),
    (re.compile(r"^roi_heads\.box_predictor\.attr_score\."), "attributes."),
)


def read_bottom_up(
    state: State, objects: Sequence[str], attributes: Sequence[str]
) -> tuple[BottomUpSizes, nn.Module, State]:
    """The network's sizes, the network, and its weights by our names.

    Args:
        state: by detectron2's names.
        objects: names of the object classes, without the background.
        attributes: names of the attributes.

    Raises:
        InputError: the weights are others, or the names are not as many as the network knows.
    """
    renamed = {_our_name(key): value for key, value in state.items()}
    # A file made of Caffe's weights may leave out what follows from the configuration.
    renamed.setdefault(_CELLS, published_anchors())
    _check_names("object classes", objects, shape_of(renamed, "classes.weight")[0] - 1)
    _check_names("attributes", attributes, shape_of(renamed, "attributes.weight")[0] - 1)
    sizes = BottomUpSizes(
        network="bottom_up",
        blocks=blocks_of(renamed, "trunk."),
        width_per_group=width_of(renamed, "trunk."),
        proposal_channels=shape_of(renamed, "proposal.weight")[0],
        anchors=shape_of(renamed, "objectness.weight")[0],
        class_embedding=shape_of(renamed, "class_embedding.weight")[1],
        attribute_channels=shape_of(renamed, "attribute_hidden.weight")[0],
        objects=tuple(objects),
        attributes=tuple(attributes),
    )
    return sizes, BottomUp(sizes), renamed


def read_names(file: Path) -> tuple[str, ...]:
    """Names, one a line; of several for one thing, `ox,oxen`, the first.

    Raises:
        InputError: there is no such file, or it is no text.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: names cannot be read: {error}: expected the file that is published with the weights"
        ) from error
    return tuple(line.partition(",")[0].strip().lower() for line in lines if line.strip())


def _our_name(key: str) -> str:
    for theirs, ours in _NAMES:
        key = theirs.sub(ours, key)
    return key


def _check_names(what: str, names: Sequence[str], known: int) -> None:
    if len(names) != known:
        raise InputError(f"{len(names)} names of {what}, the network knows {known}")
