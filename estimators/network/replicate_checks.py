"""Inconsistent repeats: outlying results within a leg, and legs that scatter too much.

Owns these two checks. Both compare with the spread of all legs of the group (`pooling`), so that three results suffice
to determine which of them is the outlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..statistics.findings import Finding, normal_deviate
from .pooling import PooledSpread

__all__ = ["outlying_results", "scattering_legs"]

#: More probable results are not findings, except for this number that is always shown.
_ORDINARY_P: Final = 0.05
_MOST_ORDINARY: Final = 20
#: Distance between the quartiles of a normal distribution, in standard deviations.
_NORMAL_QUARTILES: Final = 1.349
#: Degrees of freedom of a scale from quartiles, per leg: fewer than those of a standard deviation (by simulation).
_QUARTILE_DOF: Final = 0.6
_LEAST_RATIO: Final = 1e-12

FloatArray = NDArray[np.float64]


def outlying_results(
    values: Sequence[FloatArray], variance: FloatArray, spread: PooledSpread
) -> tuple[list[Finding], int]:
    """Compare every result with the others of its leg, if there are at least two others.

    Parameters
    ----------
    values : sequence of ndarray
        Results of each leg, kcal/mol.
    variance : ndarray, shape (m,)
        Stated variance of one result of each leg, (kcal/mol)^2.
    spread : PooledSpread
        Spread of the group.

    Returns
    -------
    findings : list of Finding
        The least probable ones, unflagged. Subject (leg, result); the value is the result minus the mean of the
        others.
    looked : int
        Number of compared results, which `findings.ranked` needs to flag them.
    """
    legs = [k for k, x in enumerate(values) if len(x) > 2]
    if not legs:
        return [], 0
    leg = np.concatenate([np.full(len(values[k]), k) for k in legs])
    place = np.concatenate([np.arange(len(values[k])) for k in legs])
    x = np.concatenate([values[k] for k in legs])
    n = np.array([len(values[k]) for k in leg], dtype=np.float64)
    mean = np.array([values[k].mean() for k in leg])
    squares = np.array([((values[k] - values[k].mean()) ** 2).sum() for k in leg])
    away = (x - mean) * n / (n - 1)
    # scatter of the others, from that of all, without a second pass over the data
    others = np.maximum(squares - away**2 * (n - 1) / n, 0.0)
    sd = np.sqrt(others / (n - 2))
    count = (n - 1).astype(np.int64)
    expected = spread.uncertainty(variance[leg], count, sd) * np.sqrt(n)
    p = spread.result_probability(away, variance[leg], count, sd)
    odd = np.argsort(p, kind="stable")[: max(_MOST_ORDINARY, int((p < _ORDINARY_P).sum()))]
    columns = (leg, place, away, expected, np.copysign(normal_deviate(p), away), p)
    rows = zip(*(column[odd].tolist() for column in columns), strict=True)
    return [Finding((k, j), *numbers) for k, j, *numbers in rows], len(x)


def scattering_legs(n: NDArray[np.int64], sd: FloatArray, variance: FloatArray, spread: PooledSpread) -> list[Finding]:
    """Compare the scatter of every leg that has repeats with that of the group: too much, or too little.

    Parameters
    ----------
    n : ndarray of int, shape (m,)
        Number of results of each leg.
    sd : ndarray, shape (m,)
        Their sample standard deviation, kcal/mol.
    variance : ndarray, shape (m,)
        Stated variance of one result of each leg, (kcal/mol)^2, even if it was overruled.
    spread : PooledSpread
        Spread of the group.

    Returns
    -------
    list of Finding
        Unflagged, in order of the legs. Subject (leg,); the value is the leg's standard deviation, the uncertainty the
        one expected from the group, kcal/mol; the deviate is negative for too little scatter.
    """
    legs = np.flatnonzero(n > 1)
    base = np.ones(len(legs)) if spread.scale == "common" else variance[legs]
    expected = np.sqrt(spread.ratio * base)
    p = np.maximum(
        spread.scatter_probability(base, n[legs], sd[legs]), _among_others(sd[legs] ** 2 / base, n[legs] - 1)
    )
    z = np.copysign(normal_deviate(p), sd[legs] - expected)
    columns = (legs, sd[legs], expected, z, p)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Finding((k,), s, usual, dev, q, effect_kcal_mol=s - usual) for k, s, usual, dev, q in rows]


def _among_others(ratio: FloatArray, dof: NDArray[np.int64]) -> FloatArray:
    """Return the two-sided probability of each ratio of scatter to statement, were their logarithms alike and normal.

    Statements that are off by a factor of each leg's own make tails that an F distribution does not have. The location
    and scale of the logarithms are those of the middle half of the legs, and at least what repeats alone make.
    """
    log_ratio = np.log(np.maximum(ratio, _LEAST_RATIO))
    low, middle, high = np.quantile(log_ratio, [0.25, 0.5, 0.75])
    spread, least = (high - low) / _NORMAL_QUARTILES, np.sqrt(special.polygamma(1, dof / 2))
    legs = max(len(ratio) - 1, 1)
    known = np.where(spread > least, max(_QUARTILE_DOF * legs, 1.0), legs)
    away = np.abs(log_ratio - middle) / np.maximum(spread, least)
    return np.asarray(2 * special.stdtr(known, -away), dtype=np.float64)
