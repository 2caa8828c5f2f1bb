"""Writes the quantised layers into the graph.

ONNX Runtime computes `DequantizeLinear(x) @ DequantizeLinear(W)` in integers where x comes from a
QuantizeLinear. What its own `quantize_static` would add, rounding of the layers' outputs, costs more
accuracy than all else (docs/export.md) and saves no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from streamproc_mner.quantisation.input_plan import InputPlan, column_steps
from streamproc_mner.quantisation.linear_layers import Floats, LinearLayer

_TABLE_ROWS: Final = 64
"""Of an embedding table that is worth making smaller."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedLayer:
    """A linear layer with its input's plan and its matrix in integers Q (K, N), steps (N,)."""

    layer: LinearLayer
    plan: InputPlan
    matrix: NDArray[np.int8]
    steps: Floats


class Rewriter:
    """Rewrites one graph.

    Args:
        model: changed in place.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._nodes: list[NodeProto] = []

    def quantise(self, layers: Sequence[QuantisedLayer]) -> None:
        """Put layers in the place of their MatMuls. Those that read one tensor share its plan."""
        chosen = {found.layer.name: found for found in layers}
        rounded: dict[str, str] = {}
        for node in self._taken():
            found = chosen.get(node.name) if node.op_type == "MatMul" else None
            if found is None:
                self._nodes.append(node)
                continue
            source = found.layer.input
            if source not in rounded:
                rounded[source] = self._round_input(source, found.plan)
            self._multiply(node, found, rounded[source])
        self._finish()

    def quantise_tables(self) -> None:
        """Store embedding tables with one step a row; the rows that are read become float32."""
        tables = {t.name: t for t in self._graph.initializer if self._is_table(t)}
        steps: dict[str, Floats] = {}
        for node in self._taken():
            if node.op_type != "Gather" or node.input[0] not in tables or _axis(node):
                self._nodes.append(node)
                continue
            name, ids = node.input
            if name not in steps:
                values = numpy_helper.to_array(tables[name])
                steps[name] = column_steps(values.T)
                self._constant(f"{name}.rows", np.rint(values / steps[name][:, None]).astype(np.int8))
                self._constant(f"{name}.steps", steps[name][:, None])
            out = node.output[0]
            self._add("Gather", [f"{name}.rows", ids], f"{out}.rows")
            self._add("Cast", [f"{out}.rows"], f"{out}.wide", to=TensorProto.FLOAT)
            self._add("Gather", [f"{name}.steps", ids], f"{out}.steps")
            self._add("Mul", [f"{out}.wide", f"{out}.steps"], out)
        self._finish()

    def _round_input(self, source: str, plan: InputPlan) -> str:
        """The name of the input in float32 after rounding."""
        divided = source
        if plan.divisors is not None:
            divided = f"{source}.divided"
            self._constant(f"{source}.factors", (1 / plan.divisors).astype(np.float32))
            self._add("Mul", [source, f"{source}.factors"], divided)
        grid = [f"{source}.step", f"{source}.zero"]
        self._constant(grid[0], np.array(plan.step, np.float32))
        self._constant(grid[1], np.array(plan.zero, np.uint8))
        self._add("QuantizeLinear", [divided, *grid], f"{source}.integers")
        self._add("DequantizeLinear", [f"{source}.integers", *grid], f"{source}.rounded")
        if len(plan.apart):
            self._constant(f"{source}.channels", plan.apart)
            self._add("Gather", [source, f"{source}.channels"], f"{source}.apart", axis=-1)
        return f"{source}.rounded"

    def _multiply(self, node: NodeProto, found: QuantisedLayer, rounded: str) -> None:
        name, out = found.layer.name, node.output[0]
        self._constant(f"{name}.matrix", found.matrix)
        self._constant(f"{name}.steps", found.steps)
        self._constant(f"{name}.zeros", np.zeros(len(found.steps), np.int8))
        self._add(
            "DequantizeLinear", [f"{name}.matrix", f"{name}.steps", f"{name}.zeros"], f"{name}.wide", axis=1
        )
        if not len(found.plan.apart):
            self._add("MatMul", [rounded, f"{name}.wide"], out)
            return
        self._constant(f"{name}.rows", found.layer.matrix[found.plan.apart])
        self._add("MatMul", [rounded, f"{name}.wide"], f"{out}.most")
        self._add("MatMul", [f"{found.layer.input}.apart", f"{name}.rows"], f"{out}.apart")
        self._add("Add", [f"{out}.most", f"{out}.apart"], out)

    @staticmethod
    def _is_table(tensor: TensorProto) -> bool:
        return (
            tensor.data_type == TensorProto.FLOAT
            and len(tensor.dims) == 2
            and tensor.dims[0] >= _TABLE_ROWS
        )

    def _taken(self) -> list[NodeProto]:
        nodes = list(self._graph.node)
        self._nodes = []
        return nodes

    def _constant(self, name: str, values: NDArray[np.generic]) -> None:
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: int) -> None:
        node = helper.make_node(kind, list(inputs), [output], name=f"{output}.{kind}")
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)

    def _finish(self) -> None:
        """Put the new nodes into the graph, and leave out constants that nothing reads."""
        read = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in read]
        del self._graph.initializer[:]
        del self._graph.node[:]
        self._graph.initializer.extend(kept)
        self._graph.node.extend(self._nodes)


def _axis(node: NodeProto) -> int:
    attributes: Mapping[str, int] = {a.name: a.i for a in node.attribute}
    return attributes.get("axis", 0)
