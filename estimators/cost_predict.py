"""Predictions of a cost model: medians, intervals, and where it has nothing to go on.

Owns how a posterior becomes hours, what is said of rows unlike those it was trained on, and sums over many
calculations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import ndtri

from estimators.cost_design import Columns, columns_of, design
from estimators.cost_fit import Posterior, noise_sd, row_variance
from estimators.errors import EstimatorInputError
from estimators.features import Derived

__all__ = ["RANGED", "CostPrediction", "Ranges", "feature_ranges", "predict_from", "total"]

FloatArray = NDArray[np.float64]

#: Least and most of each watched feature, by Protocol.
Ranges = dict[str, dict[str, tuple[float, float]]]

# Directions of shared error kept for sums; what is left over counts as each row's own.
_SHARED_DIRECTIONS: Final = 64
# Keeps a covariance read from rounded parameters positive definite.
_JITTER: Final = 1e-10

#: Features whose range is watched, and by which factor beyond it a prediction is an extrapolation.
RANGED: Final[dict[str, float]] = {
    "n_atoms": 1.25,
    "steps": 2.0,
    "n_ligand_atoms": 1.5,
    "packing": 1.25,
}

# What the error grows by, per unit of log distance outside the range seen.
_BEYOND_SD: Final = 0.3


@dataclass(frozen=True, slots=True)
class CostPrediction:
    """Hours of one result of each row: GPU-hours, worker-hours where the row has no GPU.

    Attributes
    ----------
    median : ndarray, shape (n,)
        Hours that half of such results stay below.
    low, high : ndarray, shape (n,)
        Interval at the model's confidence, hours.
    sd_log : ndarray, shape (n,)
        Standard deviation of the logarithm of the hours.
    extrapolates : ndarray of bool, shape (n,)
        Whether the row is unlike all that the model has seen.
    why : list of str, length n
        Reasons for that, empty where there is none.
    confidence : float
        Of the interval.
    shared : ndarray, shape (n, k)
        Part of each row's log error that it shares: row i errs by `shared[i] @ z`, with the same standard normal
        z for all rows.
    own_sd : ndarray, shape (n,)
        Part that is its own, log standard deviation.
    total_ratio : float
        Hours of many left-out results over what the log-normal mean says of them: stragglers weigh in sums.
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


def feature_ranges(derived: Derived) -> Ranges:
    """Find the smallest and largest value of each watched feature, by Protocol.

    Parameters
    ----------
    derived : Derived
        Rows.

    Returns
    -------
    dict of str to dict of str to (float, float)
        Protocol, feature, least and most; features that nobody knew are left out.
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
        By what the calibration stretches the standard deviations.
    total_ratio : float
        By what the calibration corrects sums.
    confidence : float
        Of the interval.
    ranges : dict or None
        What training saw of each Protocol; None if nothing was ever seen.

    Returns
    -------
    CostPrediction
        One entry per row.
    """
    why, beyond, unlike = _reasons(posterior.columns, derived, ranges)
    laid_out = design(derived, posterior.columns)
    n_known = len(posterior.mean)
    mean = derived.prior_log_hours + laid_out.matrix[:, :n_known] @ posterior.mean
    shared, left_out = _shared(laid_out.matrix, laid_out.columns, posterior)
    noise = noise_sd(posterior, derived.rows["protocol"])
    # A calibration on rows like the others does not narrow what is unlike them, nor what another campaign set up.
    campaigns = columns_of(posterior.columns, "campaign")
    elsewhere = unlike | (bool(campaigns) & ~np.isin(derived.rows["campaign"], campaigns))
    stretch = np.where(elsewhere, max(scale, 1.0), scale)
    own_sd = stretch * np.sqrt(noise**2 + beyond**2 + left_out)
    shared = shared * stretch[:, None]
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
    )


def total(
    prediction: CostPrediction, counts: FloatArray | None = None, *, confidence: float | None = None
) -> tuple[float, float, float]:
    """Hours of many results together.

    What the model gets wrong for all rows alike does not average away; what is a row's own does. The results of
    one row (repeats of one Transformation) err together. The sum is taken as log-normal with the right mean and
    variance (Fenton and Wilkinson), which needs no random draws.

    Parameters
    ----------
    prediction : CostPrediction
        One entry per row.
    counts : ndarray, shape (n,), optional
        Results of each row; 1 if not given.
    confidence : float, optional
        Of the interval; the prediction's if not given.

    Returns
    -------
    (float, float, float)
        Median, low and high, hours. Zeros if there is nothing to do.

    Raises
    ------
    EstimatorInputError
        If counts are negative or not as many as rows.

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
    # One row's median needs no correction of sums, many rows' sum needs all of it.
    alone = float(np.sum((expected / whole) ** 2))
    middle = np.log(whole) - log_variance / 2.0 + (1.0 - alone) * np.log(prediction.total_ratio)
    reach = z * np.sqrt(log_variance)
    return float(np.exp(middle)), float(np.exp(middle - reach)), float(np.exp(middle + reach))


def _shared(matrix: sparse.csr_array, columns: Columns, posterior: Posterior) -> tuple[FloatArray, FloatArray]:
    """Each row's error by independent unit normals, and the variance that those leave out.

    The error of the coefficients is `factor @ z`. Of its directions those are kept in which these rows differ most;
    few are needed, as most columns are levels that few rows share.
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
    """Values of a watched feature."""
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
    columns: Columns, derived: Derived, ranges: Ranges | None
) -> tuple[list[str], FloatArray, NDArray[np.bool_]]:
    """Why each row is unlike what was seen, how far beyond its ranges, and whether it is unlike at all."""
    n = len(derived.n_atoms)
    beyond, unlike = np.zeros(n), np.zeros(n, dtype=bool)
    if ranges is None:
        return ["no result seen yet: physics and published GPU speeds only"] * n, beyond, np.ones(n, dtype=bool)
    why: list[list[str]] = [[] for _ in range(n)]
    protocol = derived.rows["protocol"]
    for what, block, level in (("Protocol", "protocol", protocol), ("GPU model", "gpu", derived.gpu_model)):
        new = ~np.isin(level, columns_of(columns, block))
        unlike |= new
        for row in np.flatnonzero(new):
            why[row].append(f"no result of {what} {str(level[row]) or 'unknown'} seen")
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
    """Say which rows of a Protocol lie outside a range, or do not know the feature that its results knew."""
    least, most = seen
    for row in np.flatnonzero(mine & ~np.isfinite(values)):
        if name in ("n_atoms", "steps"):
            why[row].append(f"{_SPOKEN[name]} unknown")
    known = np.where(mine & np.isfinite(values) & (values > 0), values, least)
    distance = np.maximum(np.log(least / known), np.log(known / most))
    outside = distance > np.log(RANGED[name])
    beyond += np.where(outside, _BEYOND_SD * distance, 0.0)
    for row in np.flatnonzero(outside):
        why[row].append(f"{values[row]:,.0f} {_SPOKEN[name]}, seen {least:,.0f} to {most:,.0f}")
