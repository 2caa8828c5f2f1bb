"""A layer's matrix in 8-bit integers, rounded so that what the layer gives changes little."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc_mner.quantisation.input_plan import column_steps
from streamproc_mner.quantisation.linear_layers import Floats

_DAMPING: Final = 0.01
_BLOCK: Final = 64


def round_matrix(matrix: Floats, rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Round one row of W after the other; the rows still to come make up for each one's error.

    With H = X^T X of the inputs and U upper triangular, U^T U = H^-1, rounding row i to q leaves the error
    e = (w_i - q) / U_ii, and each later row j loses U_ij e (Frantar et al. 2022, GPTQ algorithm 1).
    Rows come by falling H_ii: those that the inputs lean on most first.

    Args:
        matrix: W (K, N).
        rows: X (R, K), as the layer gets them.

    Returns:
        Q (K, N) and the step of each column (N,): W is about Q times the steps.
    """
    steps = column_steps(matrix)
    order, upper = _inverse_factor(rows)
    left = matrix[order].astype(np.float64)
    rounded = np.zeros(left.shape, np.int8)
    for start in range(0, len(left), _BLOCK):
        end = min(start + _BLOCK, len(left))
        errors = np.zeros((end - start, left.shape[1]))
        for row in range(start, end):
            rounded[row] = np.clip(np.rint(left[row] / steps), -127, 127)
            errors[row - start] = (left[row] - rounded[row] * steps) / upper[row, row]
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], errors[row - start])
        left[end:] -= upper[start:end, end:].T @ errors
    found = np.empty_like(rounded)
    found[order] = rounded
    return found, steps


def _inverse_factor(rows: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The order of W's rows, and U in this order."""
    products = (rows.T @ rows).astype(np.float64)
    diagonal = np.diagonal(products)
    order = np.argsort(-diagonal)
    damped = products[np.ix_(order, order)]
    damped[np.diag_indices_from(damped)] += max(_DAMPING * float(diagonal.mean()), 1e-12)
    return order, np.linalg.cholesky(np.linalg.inv(damped)).T
