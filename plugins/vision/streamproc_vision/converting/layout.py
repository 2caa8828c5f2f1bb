"""Sizes of networks, read off the shapes of their weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from streamproc.errors import InputError

State = Mapping[str, Tensor]


def shape_of(state: State, key: str) -> tuple[int, ...]:
    """The shape of one of the weights.

    Raises:
        InputError: it is not there.
    """
    if key not in state:
        raise InputError(f"not the weights of this network: no {key} among {len(state)} tensors")
    return tuple(state[key].shape)


def blocks_of(state: State, prefix: str) -> tuple[int, ...]:
    """How many blocks each of the four stages of a ResNet has."""
    counts = []
    for stage in range(1, 5):
        pattern = re.compile(rf"{re.escape(prefix)}layer{stage}\.(\d+)\.")
        numbers = {int(found[1]) for key in state if (found := pattern.match(key))}
        if not numbers:
            raise InputError(f"not the weights of this network: no {prefix}layer{stage}")
        counts.append(max(numbers) + 1)
    return tuple(counts)


def width_of(state: State, prefix: str) -> int:
    """The width of a ResNet's groups: that of the first block's inner convolutions."""
    return shape_of(state, f"{prefix}layer1.0.conv1.weight")[0]
