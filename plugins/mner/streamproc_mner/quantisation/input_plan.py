"""How the input of linear layers becomes 8-bit integers with little lost.

A few channels of a transformer's activations are tens of times as large as the rest: one step of 255
over their range is coarse for all others. Two remedies, chosen by the error of what the layers give:

- The largest channels are kept apart and computed in float32 (Dettmers et al. 2022, LLM.int8()).
- x W = (x / s) (s W): each channel is divided by s_k = max|x_k|^a / max|W_k|^(1-a) and its row of W
  multiplied with it, so that W takes a part of the burden (Xiao et al. 2022, SmoothQuant eq. 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.quantisation.linear_layers import Floats

STRENGTHS: Final = (0.6, 0.7, 0.8)
"""The exponents a that are tried."""

APART: Final = 8
"""Channels that are kept apart, of inputs that are wider than what their layers give: there the sum of
both parts costs little."""

_WORTH: Final = 0.9
"""A remedy costs a little time: it is taken if it leaves at most this share of the squared error."""

_ROWS: Final = 1500
_STEPS: Final = 255
_TINY: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class InputPlan:
    """How a K wide input is rounded: to the nearest of 256 values from `low` to `high`.

    Attributes:
        divisors: (K,) of the channels; `None` for none.
        apart: channels that stay in float32.
        low, high: the range of the others, divided, with 0 in it.
    """

    divisors: Floats | None
    apart: NDArray[np.int64]
    low: float
    high: float

    @property
    def step(self) -> np.float32:
        """Between two neighbouring values."""
        return np.float32((self.high - self.low) / _STEPS or 1.0)

    @property
    def zero(self) -> np.uint8:
        """The integer that stands for 0."""
        return np.uint8(np.clip(np.rint(-self.low / self.step), 0, _STEPS))

    def scaled(self, matrix: Floats) -> Floats:
        """W as it meets the rounded input: rows multiplied with the divisors, 0 for those apart."""
        rows: Floats = matrix.copy() if self.divisors is None else matrix * self.divisors[:, None]
        rows[self.apart] = 0.0
        return rows

    def rounded(self, rows: Floats) -> Floats:
        """(R, K) vectors as the layers get them, divided."""
        divided = rows if self.divisors is None else rows / self.divisors
        steps = np.clip(np.rint(divided / self.step) + self.zero, 0, _STEPS)
        rounded: Floats = ((steps - self.zero) * self.step).astype(np.float32)
        return rounded


def plan_input(rows: Floats, matrix: Floats) -> InputPlan:
    """The plan with the least error of x W, where plainer ones are preferred.

    Args:
        rows: (R, K) vectors that were seen.
        matrix: (K, N) of all the layers that read them, side by side.
    """
    drawn = rows[np.random.default_rng(0).permutation(len(rows))[:_ROWS]]
    exact = drawn @ matrix
    best: tuple[float, InputPlan] | None = None
    for plan in _candidates(rows, matrix):
        error = _error(plan, drawn, matrix, exact)
        if best is None or error < _WORTH * best[0]:
            best = (error, plan)
    assert best is not None  # the first candidate is always there
    return best[1]


def _candidates(rows: Floats, matrix: Floats) -> Iterator[InputPlan]:
    """From the plainest to the most elaborate."""
    none = np.zeros(0, np.int64)
    largest = np.abs(rows).max(axis=0)
    choices = [none]
    if matrix.shape[0] > matrix.shape[1] and matrix.shape[0] > APART:
        choices.append(np.sort(np.argsort(-largest)[:APART]))
    for apart in choices:
        yield _ranged(rows, None, apart)
    for apart in choices:
        for strength in STRENGTHS:
            yield _ranged(rows, _divisors(largest, matrix, strength), apart)


def _divisors(largest: Floats, matrix: Floats, strength: float) -> Floats:
    rows = np.abs(matrix).max(axis=1)
    divisors = (largest + _TINY) ** strength / (rows + _TINY) ** (1 - strength)
    centred: Floats = (divisors / np.exp(np.log(divisors).mean())).astype(np.float32)
    return centred


def _ranged(rows: Floats, divisors: Floats | None, apart: NDArray[np.int64]) -> InputPlan:
    low, high = rows.min(axis=0), rows.max(axis=0)
    if divisors is not None:
        low, high = low / divisors, high / divisors
    kept = np.ones(rows.shape[1], bool)
    kept[apart] = False
    return InputPlan(divisors, apart, min(0.0, float(low[kept].min())), max(0.0, float(high[kept].max())))


def _error(plan: InputPlan, rows: Floats, matrix: Floats, exact: Floats) -> float:
    """Mean squared error of x W, with the columns of W rounded to the nearest."""
    scaled = plan.scaled(matrix)
    steps = column_steps(scaled)
    found = (
        plan.rounded(rows) @ (np.rint(scaled / steps) * steps) + rows[:, plan.apart] @ matrix[plan.apart]
    )
    return float(np.mean((found - exact) ** 2))


def column_steps(matrix: Floats) -> Floats:
    """(N,): the step of each column in 8-bit integers from -127 to 127."""
    steps = (np.abs(matrix).max(axis=0) / 127).astype(np.float32)
    return np.where(steps == 0, np.float32(1), steps)
