"""What the linear layers of a network read when it reads posts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from streamproc_mner.onnx_tagger import feeds_of
from streamproc_mner.quantisation.linear_layers import Floats
from streamproc_mner.windows import Window, chunks, pad

_ROWS: Final = 6000
_BATCH_TOKENS: Final = 2048
_AT_ONCE: Final = 8
"""Inputs that are kept in memory together: of a large network all of them would be gigabytes."""


def seen_inputs(
    model: onnx.ModelProto, names: Sequence[str], windows: Sequence[Window], seed: int
) -> Iterator[tuple[str, Floats]]:
    """Vectors that a network has at some of its tensors.

    Args:
        model: in float32.
        names: of tensors (B, S, K).
        windows: that it reads.
        seed: which positions are drawn.

    Yields:
        Each name with about 6000 vectors (R, K), of positions that are no padding.
    """
    batches = [pad([windows[index] for index in chunk]) for chunk in chunks(windows, _BATCH_TOKENS)]
    share = _ROWS / sum(int(batch.mask.sum()) for batch in batches)
    draw = np.random.default_rng(seed)
    drawn = [(batch.mask == 1) & (draw.random(batch.mask.shape) < share) for batch in batches]
    for some in _groups(names):
        session = _session_with(model, some)
        rows: dict[str, list[Floats]] = {name: [] for name in some}
        for batch, chosen in zip(batches, drawn, strict=True):
            for name, values in zip(some, session.run(some, feeds_of(batch)), strict=True):
                rows[name].append(values[chosen])
        for name in some:
            yield name, np.concatenate(rows[name])


def _session_with(model: onnx.ModelProto, names: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session that also gives these tensors."""
    told = onnx.ModelProto()
    told.CopyFrom(model)
    del told.graph.output[:]
    told.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        told.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _groups(names: Sequence[str]) -> list[list[str]]:
    return [list(names[start : start + _AT_ONCE]) for start in range(0, len(names), _AT_ONCE)]
