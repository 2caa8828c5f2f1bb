"""The linear layers of an exported network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

Floats = NDArray[np.float32]

SMALLEST: Final = 0.2
"""Of the largest layer's weights: a smaller layer, such as the one that gives the emissions, costs no time
that is worth saving."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearLayer:
    """x W, of a K wide input to N outputs.

    Attributes:
        name: of its MatMul.
        input: the tensor x.
        matrix: W (K, N).
    """

    name: str
    input: str
    matrix: Floats


def linear_layers(model: onnx.ModelProto) -> list[LinearLayer]:
    """The products with a constant matrix that are worth making quicker, in the graph's order."""
    constants = {t.name: t for t in model.graph.initializer if len(t.dims) == 2}
    layers = [
        LinearLayer(node.name, node.input[0], numpy_helper.to_array(constants[node.input[1]]))
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in constants
    ]
    largest = max((layer.matrix.size for layer in layers), default=0)
    return [layer for layer in layers if layer.matrix.size >= SMALLEST * largest]


def in_single(model: onnx.ModelProto) -> None:
    """Turn weights that are stored in half precision, with a Cast behind each, to float32, in place."""
    graph = model.graph
    halves = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in halves]
    for cast in casts:
        half = halves[cast.input[0]]
        values = numpy_helper.to_array(half).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, cast.output[0]))
        graph.node.remove(cast)
    for name in {cast.input[0] for cast in casts}:
        graph.initializer.remove(halves[name])
