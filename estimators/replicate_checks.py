"""Repeats that do not fit: single results far from the others of their leg, and legs that scatter too much.

Owns these two checks. Both measure against the spread that all legs of the group show (`pooling`), so that
three results suffice to tell which of them is the odd one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from estimators.findings import Finding, normal_deviate
from estimators.pooling import PooledSpread

__all__ = ["outlying_results", "scattering_legs"]

#: Results that are more probable than this are no findings, beyond so many that are shown anyway.
_ORDINARY_P: Final = 0.05
_MOST_ORDINARY: Final = 20

FloatArray = NDArray[np.float64]


def outlying_results(
    values: Sequence[FloatArray], variance: FloatArray, spread: PooledSpread
) -> tuple[list[Finding], int]:
    """Compare every result with the others of its leg, where there are at least two others.

    Parameters
    ----------
    values : sequence of ndarray
        Results of each leg, kcal/mol.
    variance : ndarray, shape (m,)
        Stated variance of one result of each leg, (kcal/mol)^2.
    spread : PooledSpread
        Of the group.

    Returns
    -------
    findings : list of Finding
        The least probable ones, unflagged. Subject (leg, result); the value is the result less the mean
        of the others.
    looked : int
        Results that were compared: what `findings.ranked` needs to flag them.
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
    # scatter of the others, from that of all: no second pass over the data
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
        Results of each leg.
    sd : ndarray, shape (m,)
        Sample standard deviation over them, kcal/mol.
    variance : ndarray, shape (m,)
        Stated variance of one result of each leg, (kcal/mol)^2, also where it was overruled.
    spread : PooledSpread
        Of the group.

    Returns
    -------
    list of Finding
        Unflagged, in order of the legs. Subject (leg,); the value is the leg's standard deviation, the
        uncertainty what the group's would be, kcal/mol; the deviate is negative for too little.
    """
    legs = np.flatnonzero(n > 1)
    base = np.ones(len(legs)) if spread.scale == "common" else variance[legs]
    expected = np.sqrt(spread.ratio * base)
    p = spread.scatter_probability(base, n[legs], sd[legs])
    z = np.copysign(normal_deviate(p), sd[legs] - expected)
    columns = (legs, sd[legs], expected, z, p)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Finding((k,), s, usual, dev, q, effect_kcal_mol=s - usual) for k, s, usual, dev, q in rows]
