"""An exported network to static 8-bit integers, from posts that it is to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx

from streamproc_mner.quantisation.input_plan import plan_input
from streamproc_mner.quantisation.linear_layers import LinearLayer, in_single, linear_layers
from streamproc_mner.quantisation.rewriting import QuantisedLayer, Rewriter
from streamproc_mner.quantisation.rounded_matrix import round_matrix
from streamproc_mner.quantisation.seen_inputs import seen_inputs
from streamproc_mner.windows import Window

_SEED: Final = 2022


def quantise(
    weights: Path,
    windows: Sequence[Window],
    target: Path,
    advance: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Write the same network with its linear layers and its embedding tables in 8-bit integers.

    Args:
        weights: an exported network.
        windows: of posts such as it is to read, a few hundred.
        target: the file that is written.
        advance: called with how many linear layers are done, and how many there are.
    """
    model = onnx.load(weights)
    in_single(model)
    layers = linear_layers(model)
    readers: dict[str, list[LinearLayer]] = {}
    for layer in layers:
        readers.setdefault(layer.input, []).append(layer)
    done: list[QuantisedLayer] = []
    for source, rows in seen_inputs(model, list(readers), windows, _SEED):
        together = readers[source]
        plan = plan_input(rows, np.concatenate([layer.matrix for layer in together], axis=1))
        seen = plan.rounded(rows)
        for layer in together:
            done.append(QuantisedLayer(layer, plan, *round_matrix(plan.scaled(layer.matrix), seen)))
            advance(len(done), len(layers))
    rewriter = Rewriter(model)
    rewriter.quantise(done)
    rewriter.quantise_tables()
    onnx.checker.check_model(model)
    onnx.save(model, target)
