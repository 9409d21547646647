"""Statistics of pairs, computed for many resamples at once.

Owns the formulas. `performance` resamples and uses the samples.

A resample is represented by the count of each pair, without copies: shape (b, n) for b resamples of n pairs. Kendall's
tau is then one matrix product, ``sum_ij w_i w_j sign(y_i - y_j) sign(x_i - x_j)``, and a rank is a cumulative sum of
counts in the order of the values, determined once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIGANDS_ONLY", "ORDERS", "STATISTICS", "count_picks"]

#: Maximum number of signs of differences in memory (4 bytes each).
_BLOCK_ENTRIES = 4_000_000

#: A mean below this fraction of the values is rounding.
_ROUNDING = 1e-12

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: (estimates, experiments, counts) to one value per resample, shape (b,); NaN where undefined. Values have shape (n,),
#: or (b, n), with counts of one, if each resample has its own values.
PairStatistic = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def count_picks(picks: IntArray, n: int) -> FloatArray:
    """Return the count of each of n pairs: indices of shape (b, k) to counts of shape (b, n).

    Parameters
    ----------
    picks : ndarray, shape (b, k)
        Indices of pairs, below n.
    n : int
        Number of pairs.
    """
    rows = np.arange(len(picks))[:, None] * n
    counted = np.bincount((picks + rows).ravel(), minlength=len(picks) * n)
    return counted.reshape(len(picks), n).astype(np.float64)


def _mean(values: FloatArray, counts: FloatArray) -> FloatArray:
    result: FloatArray = (counts * values).sum(axis=1) / counts.sum(axis=1)
    return result


def _rmse(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    result: FloatArray = np.sqrt(_mean((y - x) ** 2, counts))
    return result


def _mue(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    return _mean(np.abs(y - x), counts)


def _pearson(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    # In rows with a single value, rounding may remain instead of zero.
    flat = _flat(y, counts) | _flat(x, counts)
    return _correlation(y - _mean(y, counts)[:, None], x - _mean(x, counts)[:, None], counts, flat)


def _correlation(y: FloatArray, x: FloatArray, counts: FloatArray, flat: NDArray[np.bool_]) -> FloatArray:
    """Return the correlation of deviations from the mean, shape (b, n) both."""
    together, of_y, of_x = (np.einsum("bi,bi,bi->b", counts, one, other) for one, other in ((y, x), (y, y), (x, x)))
    norm = np.sqrt(of_y * of_x)
    undefined = flat | (norm == 0)
    result: FloatArray = np.where(undefined, np.nan, together / np.where(undefined, 1.0, norm))
    return result


def _r2(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    result: FloatArray = _pearson(y, x, counts) ** 2
    return result


def _spearman(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    # deviations of ranks are multiples of one half and sum without rounding: a constant row gives zero
    middle = 0.5 * (counts.sum(axis=1, keepdims=True) + 1.0)
    never = np.zeros(len(counts), dtype=np.bool_)
    return _correlation(_ranks(y, counts) - middle, _ranks(x, counts) - middle, counts, never)


def _kendall(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return Kendall's tau-b."""
    if y.ndim == 2 or x.ndim == 2:
        return _row_by_row(_kendall, y, x, counts)
    untied = np.sqrt(_n_untied(y, counts) * _n_untied(x, counts))
    flat = untied == 0
    result: FloatArray = np.where(flat, np.nan, _concordance(y, x, counts) / np.where(flat, 1.0, untied))
    return result


def _concordance(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return concordant minus discordant ordered pairs of each resample."""
    total = np.zeros(len(counts))
    # integers below 2**24: single precision is exact
    short = counts.astype(np.float32)
    step = max(1, _BLOCK_ENTRIES // len(y))
    for start in range(0, len(y), step):
        rows, rest = slice(start, start + step), slice(start + step, None)
        for columns, weight in ((rows, 1.0), (rest, 2.0)):
            signs = np.sign(y[rows, None] - y[columns]).astype(np.float32)
            signs *= np.sign(x[rows, None] - x[columns])
            total += weight * np.einsum("bi,bi->b", short[:, columns] @ signs.T, counts[:, rows])
    return total


def _nrmse(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the RMSE over the mean of the experiments; NaN where that is zero (edges in both directions)."""
    mean, rmse = np.abs(_mean(x, counts)), _rmse(y, x, counts)
    undefined = mean <= _ROUNDING * (_mean(np.abs(x), counts) + rmse)
    result: FloatArray = np.where(undefined, np.nan, rmse / np.where(undefined, 1.0, mean))
    return result


def _rae(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the MUE over that of always predicting the mean of the experiments."""
    spread = _mean(np.abs(x - _mean(x, counts)[:, None]), counts)
    mue = _mue(y, x, counts)
    flat = _flat(x, counts) | (spread <= _ROUNDING * mue)
    result: FloatArray = np.where(flat, np.nan, mue / np.where(flat, 1.0, spread))
    return result


def _predictive_index(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return Pearlman and Charifson's index: concordance of pairs, weighted by their experimental difference."""
    if y.ndim == 2 or x.ndim == 2:
        return _row_by_row(_predictive_index, y, x, counts)
    right, total = np.zeros(len(counts)), np.zeros(len(counts))
    step = max(1, _BLOCK_ENTRIES // len(y))
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        apart = x[rows, None] - x
        ordered = apart * np.sign(y[rows, None] - y)
        right += np.einsum("bi,bi->b", counts @ ordered.T, counts[:, rows])
        total += np.einsum("bi,bi->b", counts @ np.abs(apart).T, counts[:, rows])
    flat = total == 0
    result: FloatArray = np.where(flat, np.nan, right / np.where(flat, 1.0, total))
    return result


def _fraction_best(y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the mean, over k up to half of the ligands, of the fraction of the best k that the estimates share.

    cinnabar's `compute_fraction_best_ligands`, due to Christopher Bayly. Equal values are ordered by the other side.
    """
    if y.ndim == 2 or x.ndim == 2:
        return _row_by_row(_fraction_best, y, x, counts)
    before = np.empty((2, *counts.shape))
    for side, order in enumerate((np.lexsort((x, y)), np.lexsort((y, x)))):
        before[side][:, order] = np.cumsum(counts[:, order], axis=1) - counts[:, order]
    # copies of a pair stand side by side in both orders; one with rank k is shared by all sets of k and more
    first = before.max(axis=0).astype(np.int64)
    n = int(counts[0].sum()) if len(counts) else 0
    half = n // 2
    if not half:
        return np.full(len(counts), np.nan)
    worth = np.cumsum(1.0 / np.arange(half, 0, -1))[::-1]
    so_far = np.concatenate([[0.0], np.cumsum(worth)])
    last = np.minimum(first + counts.astype(np.int64), half)
    result: FloatArray = (so_far[last] - so_far[np.minimum(first, half)]).sum(axis=1) / half
    return result


def _row_by_row(statistic: PairStatistic, y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
    """Evaluate a statistic where each resample has its own values."""
    rows = zip(np.broadcast_to(y, counts.shape), np.broadcast_to(x, counts.shape), counts, strict=True)
    return np.array([statistic(one_y, one_x, count[None, :])[0] for one_y, one_x, count in rows])


def _n_untied(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the number of ordered pairs of each resample with different values."""
    _, of_group = _groups(values, counts)
    result: FloatArray = counts.sum(axis=1) ** 2 - np.einsum("bg,bg->b", of_group, of_group)
    return result


def _flat(values: FloatArray, counts: FloatArray) -> NDArray[np.bool_]:
    """Return which resamples contain only one value."""
    flat: NDArray[np.bool_] = np.ptp(values, axis=1) == 0 if values.ndim == 2 else _n_untied(values, counts) == 0
    return flat


def _groups(values: FloatArray, counts: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the group of equal values for each value (ascending), and the count of each in each resample, (b, g)."""
    distinct, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    sorted_counts = counts[:, order]
    if len(distinct) == len(values):
        return group, sorted_counts
    starts = np.searchsorted(group[order], np.arange(len(distinct)))
    return group, np.add.reduceat(sorted_counts, starts, axis=1)


def _ranks(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the rank of every value within each resample, the mean rank for ties; shape (b, n)."""
    if values.ndim == 2:
        # scipy.stats alone takes longer to import than the rest of this package.
        from scipy.stats import rankdata

        return np.asarray(rankdata(values, axis=1), dtype=np.float64)
    group, of_group = _groups(values, counts)
    below = np.cumsum(of_group, axis=1) - of_group
    result: FloatArray = (below + 0.5 * (of_group + 1.0))[:, group]
    return result


#: Name to function; `R2` is the square of `pearson_r`, `kendall_tau` is tau-b.
STATISTICS: dict[str, PairStatistic] = {
    "RMSE": _rmse,
    "MUE": _mue,
    "R2": _r2,
    "pearson_r": _pearson,
    "spearman_rho": _spearman,
    "kendall_tau": _kendall,
    "NRMSE": _nrmse,
    "RAE": _rae,
    "predictive_index": _predictive_index,
    "fraction_best": _fraction_best,
}
#: Statistics that two pairs always meet in the same way, whatever their values.
ORDERS = ("R2", "pearson_r", "spearman_rho", "kendall_tau", "predictive_index", "fraction_best")
#: Statistics that do not exist for edges in both directions, whose mean is zero and whose best are the worst reversed.
LIGANDS_ONLY = ("NRMSE", "fraction_best")
