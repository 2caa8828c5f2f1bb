"""What a well-formed explanation is."""

from __future__ import annotations

from typing import Final, get_args, get_type_hints

import numpy as np

from streamproc.fusion.api import Explanation, Weights

CELLS: Final = 49
"""Of a `grid`: 7 x 7, row by row."""

_KINDS: Final = get_args(get_type_hints(Weights)["over"])
_NUMBERS: Final = (float, int)
_NAMED: Final = ("modalities", "gates")
_TOLERANCE: Final = 1e-3
"""How far rounding may take a weight or a border out of 0 to 1."""
_SUM_TOLERANCE: Final = 1e-2
"""How far it may take a sum of weights away from 1: models may compute in bfloat16."""


def explanation_fault(text: str, explanation: Explanation) -> str | None:
    """What is wrong with an explanation of a post, in words for its author; `None` for nothing.

    Args:
        text: of the post.
        explanation: what the model gave.

    Raises:
        Exception: fields that are not what they are declared to be.
    """
    if type(explanation.tokens) is not tuple:
        return f"explanation: expected tokens as a tuple, got {type(explanation.tokens).__name__}"
    end = 0
    for word, start, stop in explanation.tokens:
        known = type(word) is str and type(start) is int and type(stop) is int
        if not known or not end <= start < stop <= len(text):
            return f"explanation: token {word!r} at {start}:{stop} is not in the text, or out of order"
        word.encode()  # what cannot be written as UTF-8 must not get as far as a page
        end = stop
    for name, weights in explanation.weights.items():
        fault = _weights_fault(weights, len(explanation.tokens))
        if type(name) is not str or fault is not None:
            return f"explanation, weights {name!r}: {fault or 'expected a name'}"
    return None


def _weights_fault(weights: Weights, tokens: int) -> str | None:
    if not (type(weights.rows) is tuple and all(type(row) is tuple for row in weights.rows)):
        return "expected rows as tuples of tuples"
    if not (type(weights.boxes) is tuple and all(type(box) is tuple for box in weights.boxes)):
        return "expected boxes as tuples of tuples"
    if not all(type(value) in _NUMBERS for row in (*weights.rows, *weights.boxes) for value in row):
        return "expected Python's own numbers"
    if weights.over not in _KINDS:
        return f"over {weights.over!r} is none of {', '.join(_KINDS)}"
    if len(weights.rows) != tokens:
        return f"{len(weights.rows)} rows for {tokens} tokens"
    if bool(weights.columns) and weights.over not in _NAMED:
        return f"columns have names only over {' and '.join(_NAMED)}, not over {weights.over}"
    if bool(weights.boxes) and weights.over != "regions":
        return f"boxes are of regions, not of {weights.over}"
    if type(weights.columns) is not tuple or not all(type(column) is str for column in weights.columns):
        return "expected names as columns"
    expected = _width(weights, tokens)
    for place, row in enumerate(weights.rows):
        if len(row) != expected:
            return f"row {place} has {len(row)} values, expected {expected} over {weights.over}"
    return _values_fault(weights)


def _width(weights: Weights, tokens: int) -> int:
    match weights.over:
        case "tokens":
            return tokens
        case "cells":
            return CELLS
        case "regions":
            return len(weights.boxes)
        case _:
            return len(weights.columns)


def _values_fault(weights: Weights) -> str | None:
    values = np.array(weights.rows, dtype=float)
    if not _from_0_to_1(values):
        return "expected finite numbers from 0 to 1"
    sums = values.sum(axis=1) if weights.over == "modalities" and values.size else np.ones(0)
    if (abs(sums - 1) > _SUM_TOLERANCE).any():
        return "rows over modalities do not sum to 1"
    boxes = np.array(weights.boxes, dtype=float).reshape(len(weights.boxes), 4)
    if not _from_0_to_1(boxes) or (boxes[:, :2] > boxes[:, 2:] + _TOLERANCE).any():
        return "expected boxes as left, top, right, bottom, fractions of the picture"
    return None


def _from_0_to_1(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    return bool(((values >= -_TOLERANCE) & (values <= 1 + _TOLERANCE)).all())
