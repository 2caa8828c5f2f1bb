"""A trained network to ONNX, its weights stored in half precision and computed with in single.

The network's weights are rounded to half precision first (`round_to_half`), so what was evaluated
is what is served: the export agrees with the rounded network to 1e-4. A Cast behind each stored
weight gives it back as float32; ONNX Runtime folds these away when it loads the model.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from streamproc_mner.nn.context_tagger import ContextTagger
from streamproc_mner.onnx_tagger import INPUTS, OUTPUT

OPSET: Final = 20
"""The first with a Gelu of its own, which ONNX Runtime computes in one step."""

_SMALL: Final = 64
"""Weights of fewer values than this are stored as they are."""


class _Positions(nn.Module):
    """The part of a context tagger that is exported: arrays to emissions of all sub-tokens."""

    def __init__(self, network: ContextTagger) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor, shapes: Tensor) -> Tensor:
        return self.network.position_emissions(ids, mask, kinds, shapes)


def round_to_half(network: nn.Module) -> None:
    """Round each weight to the nearest half-precision number, in place."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def export_onnx(network: ContextTagger, path: Path, *, half: bool = True) -> None:
    """Write the network, from its inputs to the emissions, as one ONNX file.

    Args:
        network: in evaluation mode, its attention implementation `eager`; rounded, where `half`.
        path: of the file.
        half: store weights in half precision.
    """
    example = (
        torch.ones((2, 7), dtype=torch.int64),
        torch.ones((2, 7), dtype=torch.int64),
        torch.zeros((2, 7), dtype=torch.int64),
        torch.ones((2, 7, 3), dtype=torch.int64),
    )
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    axes = {0: batch, 1: length}
    with warnings.catch_warnings():
        # All inputs share their axes, which torch remarks for each of them.
        warnings.filterwarnings("ignore", message="# The axis name")
        program = torch.onnx.export(
            _Positions(network).eval(),
            example,
            input_names=INPUTS,
            output_names=[OUTPUT],
            dynamic_shapes=(axes, axes, axes, axes),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # dynamo=True returns it
    model = program.model_proto
    if half:
        store_as_half(model)
    forget_where(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def forget_where(model: onnx.ModelProto) -> None:
    """Take out what torch notes of how each value came about, in place.

    It names files of the machine that exported, which are nobody else's business.
    """
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.initializer,
        *graph.value_info,
        *graph.input,
        *graph.output,
    ):
        part.doc_string = ""
        del part.metadata_props[:]


def store_as_half(model: onnx.ModelProto) -> None:
    """Store float32 weights as float16 with a Cast to float32 behind each, in place."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALL:
            continue
        name = weight.name
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}.half")
        weight.CopyFrom(half)
        casts.append(
            helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT, name=f"{name}.cast")
        )
    for cast in reversed(casts):
        graph.node.insert(0, cast)
