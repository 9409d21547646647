"""An independent solution of whole networks: normal equations in 150 decimal digits.

These are far more digits than any spread of uncertainties can lose, so the plain formula is exact. A zero uncertainty
is represented by 1e-40, whose effect is far below the precision of a double.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

_DIGITS = 150
_ZERO = Decimal(10) ** -40

Matrix = list[list[Decimal]]


def exact_solution(
    n_nodes: int,
    tail: Sequence[int],
    head: Sequence[int],
    value: Sequence[float],
    sd: Sequence[float],
    *,
    as_differences: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values of mean zero, shape (n,), and the Laplacian's pseudo-inverse, shape (n, n), of a connected
    network.

    With `as_differences`, the second is the variance of every pair's difference instead.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        # L + 11^T/n has the inverse pinv(L) + 11^T/n.
        share = 1 / Decimal(n_nodes)
        laplacian = [[share] * n_nodes for _ in range(n_nodes)]
        right = [Decimal(0)] * n_nodes
        for a, b, d, s in zip(tail, head, value, sd, strict=True):
            weight = 1 / (Decimal(float(s)) or _ZERO) ** 2
            laplacian[a][a] += weight
            laplacian[b][b] += weight
            laplacian[a][b] -= weight
            laplacian[b][a] -= weight
            right[a] -= weight * Decimal(float(d))
            right[b] += weight * Decimal(float(d))
        inverse = _inverse(laplacian)
        covariance = [[entry - share for entry in row] for row in inverse]
        values = [sum((c * z for c, z in zip(row, right, strict=True)), Decimal(0)) for row in covariance]
        if as_differences:
            diagonal = [row[k] for k, row in enumerate(covariance)]
            covariance = [
                [a + b - 2 * c for b, c in zip(diagonal, row, strict=True)]
                for a, row in zip(diagonal, covariance, strict=True)
            ]
    return np.array([float(v) for v in values]), np.array([[float(c) for c in row] for row in covariance])


def _inverse(matrix: Matrix) -> Matrix:
    """Gauss-Jordan with pivoting."""
    size = len(matrix)
    rows = [[*row, *(Decimal(int(i == k)) for k in range(size))] for i, row in enumerate(matrix)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        scale = 1 / rows[k][k]
        rows[k] = [entry * scale for entry in rows[k]]
        for i in range(size):
            factor = rows[i][k]
            if i != k and factor:
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[size:] for row in rows]
