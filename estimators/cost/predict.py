"""Predictions of a cost model: medians, intervals, and detection of extrapolation.

Owns the conversion of a posterior to hours, the treatment of rows unlike the training data, and sums over many
calculations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import ndtri

from ..errors import EstimatorInputError
from .design_columns import OF_GROUPS, Design, DesignColumns, columns_of, design
from .features import Derived
from .fit import Posterior, noise_sd, row_variance
from .interval_scale import row_kinds, row_scales

__all__ = ["RANGED", "CostPrediction", "Ranges", "feature_ranges", "predict_from", "total"]

FloatArray = NDArray[np.float64]

#: Minimum and maximum of each watched feature, by Protocol.
Ranges = dict[str, dict[str, tuple[float, float]]]

# Number of directions of shared error kept for sums; the rest counts as each row's own error.
_SHARED_DIRECTIONS: Final = 64
# Keeps a covariance read from rounded parameters positive definite.
_JITTER: Final = 1e-10

#: Features whose range is watched, and the factor beyond it from which a prediction is an extrapolation.
RANGED: Final[dict[str, float]] = {
    "n_atoms": 1.25,
    "steps": 2.0,
    "n_ligand_atoms": 1.5,
    "packing": 1.25,
}

# Additional error per unit of log distance outside the training range.
_BEYOND_SD: Final = 0.3


@dataclass(frozen=True, slots=True)
class CostPrediction:
    """Hours of one result per row: GPU-hours, or worker-hours if the row has no GPU.

    Attributes
    ----------
    median : ndarray, shape (n,)
        Median hours.
    low, high : ndarray, shape (n,)
        Interval at the model's confidence, hours.
    sd_log : ndarray, shape (n,)
        Standard deviation of the logarithm of the hours.
    extrapolates : ndarray of bool, shape (n,)
        Whether the row is unlike the training data.
    why : list of str, length n
        Reasons for that, empty if there are none.
    confidence : float
        Confidence of the interval.
    shared : ndarray, shape (n, k)
        Shared part of each row's log error: that of row i is `shared[i] @ z`, with the same standard normal z for all
        rows.
    own_sd : ndarray, shape (n,)
        Independent part, log standard deviation.
    total_ratio : float
        Sum of hours of many held-out results divided by that of the log-normal means: stragglers dominate sums.
    kinds : ndarray of str, shape (n,)
        Kind of each row, by which intervals are calibrated.
    """

    median: FloatArray
    low: FloatArray
    high: FloatArray
    sd_log: FloatArray
    extrapolates: NDArray[np.bool_]
    why: list[str]
    confidence: float
    shared: FloatArray
    own_sd: FloatArray
    total_ratio: float
    kinds: NDArray[np.str_]


def feature_ranges(derived: Derived) -> Ranges:
    """Return the smallest and largest value of each watched feature, by Protocol.

    Parameters
    ----------
    derived : Derived
        Rows.

    Returns
    -------
    dict of str to dict of str to (float, float)
        Protocol, feature, minimum and maximum; features without known values are left out.
    """
    ranges: Ranges = {}
    for protocol in np.unique(derived.rows["protocol"]):
        mine = derived.rows["protocol"] == protocol
        of_protocol = {}
        for name in RANGED:
            values = _ranged(derived, name)[mine]
            values = values[np.isfinite(values) & (values > 0)]
            if len(values):
                of_protocol[name] = (float(values.min()), float(values.max()))
        ranges[str(protocol)] = of_protocol
    return ranges


def predict_from(
    posterior: Posterior,
    derived: Derived,
    *,
    scale: float,
    scales: dict[str, float],
    total_ratio: float,
    confidence: float,
    ranges: Ranges | None,
) -> CostPrediction:
    """Predict rows.

    Parameters
    ----------
    posterior : Posterior
        Coefficients and noise.
    derived : Derived
        Rows.
    scale : float
        Factor for the standard deviations from calibration ...
    scales : dict of str to float
        ... and those of kinds of rows, see `interval_scale`.
    total_ratio : float
        Correction factor for sums from calibration.
    confidence : float
        Confidence of the interval.
    ranges : dict or None
        Ranges in the training data by Protocol; None without training data.

    Returns
    -------
    CostPrediction
        One entry per row.
    """
    why, beyond, unlike = _reasons(posterior.columns, derived, ranges)
    laid_out = design(derived, posterior.columns)
    n_known = len(posterior.mean)
    mean = derived.prior_log_hours + laid_out.matrix[:, :n_known] @ posterior.mean
    kinds = row_kinds(derived)
    seen = np.isin(derived.rows["group"], columns_of(posterior.columns, "group"))
    stretch = row_scales(kinds, scales, default=scale, unlike=unlike, seen=seen)
    shared, left_out = _shared(_stretched(laid_out, stretch), laid_out.columns, posterior)
    own_sd = np.sqrt((noise_sd(posterior, derived) ** 2 + beyond**2) * stretch**2 + left_out)
    sd_log = np.sqrt((shared**2).sum(axis=1) + own_sd**2)
    z = ndtri(0.5 + confidence / 2.0)
    return CostPrediction(
        median=np.exp(mean),
        low=np.exp(mean - z * sd_log),
        high=np.exp(mean + z * sd_log),
        sd_log=sd_log,
        extrapolates=unlike,
        why=why,
        confidence=confidence,
        shared=shared,
        own_sd=own_sd,
        total_ratio=total_ratio,
        kinds=kinds,
    )


def total(
    prediction: CostPrediction, counts: FloatArray | None = None, *, confidence: float | None = None
) -> tuple[float, float, float]:
    """Return the total hours of many results.

    Errors shared by all rows do not average out; independent errors do. The results of one row (repeats of one
    Transformation) have a common error. The sum is treated as log-normal with the correct mean and variance (Fenton
    and Wilkinson), without random draws.

    Parameters
    ----------
    prediction : CostPrediction
        One entry per row.
    counts : ndarray, shape (n,), optional
        Number of results per row; default: 1.
    confidence : float, optional
        Confidence of the interval; default: that of the prediction.

    Returns
    -------
    (float, float, float)
        Median, low and high, hours. Zeros if there are no results.

    Raises
    ------
    EstimatorInputError
        If counts are negative or do not match the number of rows.

    References
    ----------
    Fenton 1960, doi:10.1109/TCOM.1960.1097606
    """
    n = len(prediction.median)
    times = np.ones(n) if counts is None else np.asarray(counts, dtype=np.float64)
    if times.shape != (n,) or not (times >= 0).all():
        raise EstimatorInputError(f"counts have shape {times.shape} for {n} rows or are negative; give one per row")
    expected = times * prediction.median * np.exp(prediction.sd_log**2 / 2.0)
    whole = float(expected.sum())
    if whole == 0.0:
        return 0.0, 0.0, 0.0
    together = (expected @ prediction.shared) / whole
    shared_variance = float(np.expm1(together @ together))
    own_variance = float(np.sum((expected / whole) ** 2 * np.expm1(prediction.own_sd**2)))
    log_variance = np.log1p(shared_variance + own_variance)
    z = ndtri(0.5 + (prediction.confidence if confidence is None else confidence) / 2.0)
    # The median of one row needs no correction for sums, the sum of many rows all of it.
    alone = float(np.sum((expected / whole) ** 2))
    middle = np.log(whole) - log_variance / 2.0 + (1.0 - alone) * np.log(prediction.total_ratio)
    reach = z * np.sqrt(log_variance)
    return float(np.exp(middle)), float(np.exp(middle - reach)), float(np.exp(middle + reach))


def _stretched(laid_out: Design, stretch: FloatArray) -> sparse.csr_array:
    """Return the rows times their factors; unseen levels keep their spread, but for groups, which were held out."""
    matrix = laid_out.matrix.tocoo()
    new = np.arange(len(laid_out.columns.block)) >= laid_out.n_known
    calibrated = ~new | np.isin(laid_out.columns.block, OF_GROUPS)
    values = matrix.data * np.where(calibrated[matrix.col], stretch[matrix.row], 1.0)
    return sparse.csr_array((values, (matrix.row, matrix.col)), shape=matrix.shape)


def _shared(matrix: sparse.csr_array, columns: DesignColumns, posterior: Posterior) -> tuple[FloatArray, FloatArray]:
    """Return each row's error as a combination of independent unit normals, and the remaining variance.

    The error of the coefficients is `factor @ z`. The directions in which these rows differ most are kept; few are
    needed, as most columns are levels that few rows share.
    """
    active = np.flatnonzero(np.diff(matrix.tocsc().indptr))
    known, new = active[active < len(posterior.mean)], active[active >= len(posterior.mean)]
    factor = np.zeros((len(active), len(active)))
    covariance = posterior.covariance[np.ix_(known, known)]
    factor[: len(known), : len(known)] = np.linalg.cholesky(covariance + _JITTER * np.eye(len(known)))
    fresh = np.arange(len(known), len(active))
    factor[fresh, fresh] = [posterior.spread[columns.block[k]] for k in new]
    used = matrix[:, active].tocsr()
    if len(active) <= _SHARED_DIRECTIONS:
        return used @ factor, np.zeros(matrix.shape[0])
    gram = (used.T @ used).toarray()
    _, directions = np.linalg.eigh(factor.T @ gram @ factor)
    kept = used @ (factor @ directions[:, -_SHARED_DIRECTIONS:])
    rest = row_variance(used, factor @ factor.T) - (kept**2).sum(axis=1)
    return kept, np.maximum(rest, 0.0)


def _ranged(derived: Derived, name: str) -> FloatArray:
    """Return the values of a watched feature."""
    if name == "n_atoms":
        return np.where(derived.atoms_guessed, np.nan, derived.n_atoms)
    if name == "steps":
        return derived.steps
    if name == "packing":
        alone_or_more: FloatArray = np.maximum(np.nan_to_num(derived.rows["packing"], nan=1.0), 1.0)
        return alone_or_more
    values: FloatArray = derived.rows[name]
    return values


_SPOKEN: Final = {"n_atoms": "atoms", "steps": "steps", "n_ligand_atoms": "ligand atoms", "packing": "side by side"}


def _reasons(
    columns: DesignColumns, derived: Derived, ranges: Ranges | None
) -> tuple[list[str], FloatArray, NDArray[np.bool_]]:
    """Return why each row is unlike the training data, how far it is outside its ranges, and whether it is unlike."""
    n = len(derived.n_atoms)
    beyond, unlike = np.zeros(n), np.zeros(n, dtype=bool)
    if ranges is None:
        return ["no results yet: physics and published GPU speeds only"] * n, beyond, np.ones(n, dtype=bool)
    why: list[list[str]] = [[] for _ in range(n)]
    protocol = derived.rows["protocol"]
    for what, block, level in (("Protocol", "protocol", protocol), ("GPU model", "gpu", derived.gpu_model)):
        new = ~np.isin(level, columns_of(columns, block))
        unlike |= new
        for row in np.flatnonzero(new):
            why[row].append(f"no results of {what} {str(level[row]) or 'unknown'} in the training data")
    for name in RANGED:
        values = _ranged(derived, name)
        for of, of_protocol in ranges.items():
            if name in of_protocol:
                _watch(name, values, protocol == of, of_protocol[name], why, beyond)
    unlike |= np.array([bool(reasons) for reasons in why], dtype=bool)
    return ["; ".join(reasons) for reasons in why], beyond, unlike


def _watch(
    name: str,
    values: FloatArray,
    mine: NDArray[np.bool_],
    seen: tuple[float, float],
    why: list[list[str]],
    beyond: FloatArray,
) -> None:
    """Record which rows of a Protocol are outside a range, or lack a feature known in training."""
    least, most = seen
    for row in np.flatnonzero(mine & ~np.isfinite(values)):
        if name in ("n_atoms", "steps"):
            why[row].append(f"{_SPOKEN[name]} unknown")
    known = np.where(mine & np.isfinite(values) & (values > 0), values, least)
    distance = np.maximum(np.log(least / known), np.log(known / most))
    outside = distance > np.log(RANGED[name])
    beyond += np.where(outside, _BEYOND_SD * distance, 0.0)
    for row in np.flatnonzero(outside):
        why[row].append(f"{values[row]:,.0f} {_SPOKEN[name]}, training data {least:,.0f} to {most:,.0f}")
