"""How well estimates meet experiment: statistics with bootstrap intervals.

Owns the statistics cinnabar's plots show. Drawing them is not its matter.

Relative free energies have no zero of their own, so for them both sides are shifted to mean zero first,
once and before resampling, as cinnabar's plots do; correlations do not feel it. Intervals are percentiles
over pairs resampled with replacement; a resample in which a correlation is undefined (all one value)
does not enter its interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import EstimatorInputError

__all__ = ["STATISTICS", "Performance", "Statistic", "assess"]

FloatArray = NDArray[np.float64]
_Function = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic and its interval.

    Attributes
    ----------
    name : str
        Key of `STATISTICS`.
    value : float
        Of the data itself; NaN where undefined (a correlation of one pair, or of constant values).
    low, high : float
        Bootstrap interval; NaN where undefined.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Estimates against experiment.

    Attributes
    ----------
    n : int
        Pairs that entered: those finite on both sides.
    relative : bool
        Whether both sides were shifted to mean zero.
    confidence : float
        Of the intervals.
    statistics : tuple of Statistic
        In the order of `STATISTICS`; `RMSE` and `MUE` in kcal/mol.
    """

    n: int
    relative: bool
    confidence: float
    statistics: tuple[Statistic, ...]

    def __getitem__(self, name: str) -> Statistic:
        """Statistic by name."""
        for statistic in self.statistics:
            if statistic.name == name:
                return statistic
        raise KeyError(name)


def assess(
    estimate_kcal_mol: ArrayLike,
    experiment_kcal_mol: ArrayLike,
    *,
    relative: bool,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 2019,
) -> Performance:
    """Compare estimates with experiment.

    Parameters
    ----------
    estimate_kcal_mol, experiment_kcal_mol : array_like, shape (n,)
        Pairs; those with a NaN on either side are left out.
    relative : bool
        True for free energies that are only defined up to a constant; False for absolute ones and for
        edges.
    n_bootstrap : int
        Resamples.
    confidence : float
        Of the intervals.
    seed : int
        Of the resampling: the same numbers give the same intervals.

    Returns
    -------
    Performance
        Statistics and intervals.

    Raises
    ------
    EstimatorInputError
        If shapes disagree or no pair is left.
    """
    y, x = np.array(estimate_kcal_mol, dtype=np.float64), np.array(experiment_kcal_mol, dtype=np.float64)
    if y.ndim != 1 or y.shape != x.shape:
        raise EstimatorInputError(f"estimates have shape {y.shape} and experiments {x.shape}; give pairs")
    both = np.isfinite(y) & np.isfinite(x)
    if not both.any():
        raise EstimatorInputError(f"none of {len(y)} pairs has both an estimate and an experiment")
    y, x = y[both], x[both]
    if relative:
        y, x = y - y.mean(), x - x.mean()
    picks = np.random.default_rng(seed).integers(len(y), size=(n_bootstrap, len(y)))
    results = []
    for name, function in STATISTICS.items():
        value = function(y[None, :], x[None, :])[0]
        low, high = _interval(function(y[picks], x[picks]), confidence)
        results.append(Statistic(name, float(value), low, high))
    return Performance(len(y), relative, confidence, tuple(results))


def _interval(samples: FloatArray, confidence: float) -> tuple[float, float]:
    """Percentile interval over the defined samples."""
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)


# Each statistic takes samples in rows, shape (b, n) twice, and gives shape (b,).


def _rmse(y: FloatArray, x: FloatArray) -> FloatArray:
    result: FloatArray = np.sqrt(np.mean((y - x) ** 2, axis=1))
    return result


def _mue(y: FloatArray, x: FloatArray) -> FloatArray:
    result: FloatArray = np.mean(np.abs(y - x), axis=1)
    return result


def _pearson(y: FloatArray, x: FloatArray) -> FloatArray:
    y, x = y - y.mean(axis=1, keepdims=True), x - x.mean(axis=1, keepdims=True)
    norm = np.sqrt((y**2).sum(axis=1) * (x**2).sum(axis=1))
    # Rows of one value leave rounding behind instead of zero.
    flat = (np.ptp(y, axis=1) == 0) | (np.ptp(x, axis=1) == 0) | (norm == 0)
    result: FloatArray = np.where(flat, np.nan, (y * x).sum(axis=1) / np.where(flat, 1.0, norm))
    return result


def _r2(y: FloatArray, x: FloatArray) -> FloatArray:
    result: FloatArray = _pearson(y, x) ** 2
    return result


def _spearman(y: FloatArray, x: FloatArray) -> FloatArray:
    # scipy.stats alone takes longer to import than all the rest of this package.
    from scipy.stats import rankdata

    return _pearson(rankdata(y, axis=1), rankdata(x, axis=1))


def _kendall(y: FloatArray, x: FloatArray) -> FloatArray:
    """Kendall's tau-b."""
    return np.array([_kendall_of_one(*row) for row in zip(y, x, strict=True)])


def _kendall_of_one(y: FloatArray, x: FloatArray) -> float:
    if np.ptp(y) == 0 or np.ptp(x) == 0:
        return float("nan")
    rise_y, rise_x = np.sign(y[:, None] - y), np.sign(x[:, None] - x)
    untied = np.count_nonzero(rise_y) * np.count_nonzero(rise_x)
    return float((rise_y * rise_x).sum() / np.sqrt(float(untied)))


#: Name to function; `R2` is the square of `pearson_r`, `kendall_tau` is tau-b.
STATISTICS: dict[str, _Function] = {
    "RMSE": _rmse,
    "MUE": _mue,
    "R2": _r2,
    "pearson_r": _pearson,
    "spearman_rho": _spearman,
    "kendall_tau": _kendall,
}
