"""Variance of one repeat of each calculation: its own scatter, shrunk towards a model that knows heavy tails.

Two or three repeats determine a variance poorly, and between-repeat variances have heavy tails: those of published
relative binding free energies (OpenFE 2024) fit a scaled inverse chi-squared distribution with 1.6 degrees of freedom.
What the Protocol states as its own error (MBAR) explains half or more of the spread of log-variances, the structure of
the perturbation a third; so both form the prior. The model is

    log s_t^2 = (intercept of the group) + slope log(stated_t^2) + features_t @ beta + inverse chi-squared noise

fitted to log sample variances of calculations with two and more repeats (moments of the log of an F distribution,
Smyth 2004) with normal priors on all coefficients, so that it also answers before there is a repeat. The degrees of
freedom of the noise, d0, are a posterior mean on a grid. The variance of calculation t with n repeats and sum of
squares SS around their mean is ``(d0 prior_t + SS) / (d0 + n - 1)``, with ``d0 + n - 1`` degrees of freedom.

References
----------
Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression",
doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln, polygamma, stdtrit

from ..errors import EstimatorInputError

__all__ = ["VarianceModel", "fit_variances"]

#: Typical standard deviation of a repeat with nothing stated, kcal/mol, and the spread of its log-variance.
_USUAL_SD: Final = 0.15
_USUAL_SPREAD: Final = 2.0
#: Repeats scatter this much more than Protocols state, in the median of published results, and its spread.
_STATED_FACTOR: Final = 2.8
_STATED_SPREAD: Final = 1.0
#: Groups (a phase, a Protocol) deviate from the common intercept by this much.
_GROUP_SPREAD: Final = 1.0
#: Prior of the slope in the log of the stated variance, and of the coefficient of a standardised feature.
_SLOPE, _SLOPE_SPREAD = 1.0, 0.3
_FEATURE_SPREAD: Final = 0.3
#: Degrees of freedom of the noise that are tried, and their prior: log-normal around 2.
_DOFS: Final = np.array([1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0, 64.0])
_DOF_PRIOR: Final = np.exp(-0.5 * (np.log(_DOFS / 2.0) / 0.7) ** 2)
#: Scatter below this fraction of the usual one is that of copies.
_LEAST_SD: Final = 1e-6
_NORMAL_975: Final = 1.959963984540054

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class VarianceModel:
    """Variances of one repeat of t calculations.

    Attributes
    ----------
    variance : ndarray, shape (t,)
        Posterior scale of the variance, (kcal/mol)^2.
    degrees_of_freedom : ndarray, shape (t,)
        Of the posterior.
    prior_variance : ndarray, shape (t,)
        What the model expects without the calculation's own repeats, (kcal/mol)^2.
    prior_dof : float
        Degrees of freedom of that expectation.
    """

    variance: FloatArray
    degrees_of_freedom: FloatArray
    prior_variance: FloatArray
    prior_dof: float

    def inflated(self) -> FloatArray:
        """Return variances with which plus and minus 1.96 standard deviations cover 95 %, (kcal/mol)^2.

        The error of a mean with an estimated variance has a t distribution, with wider tails than a normal one.
        """
        factor = stdtrit(self.degrees_of_freedom, 0.975) / _NORMAL_975
        return np.asarray(self.variance * factor**2, dtype=np.float64)


def fit_variances(
    n: ArrayLike,
    sum_squares: ArrayLike,
    *,
    stated_variance: ArrayLike | None = None,
    group: ArrayLike | None = None,
    features: ArrayLike | None = None,
) -> VarianceModel:
    """Fit the model, and return the variance of one repeat of each calculation.

    Parameters
    ----------
    n : array_like of int, shape (t,)
        Finished repeats.
    sum_squares : array_like, shape (t,)
        Sum of squares around their mean, (kcal/mol)^2; ignored for fewer than two repeats.
    stated_variance : array_like, shape (t,), optional
        Mean square of the error that the Protocol states for one repeat, (kcal/mol)^2; NaN or zero if unknown.
    group : array_like of int, shape (t,), optional
        Calculations of one group, such as a phase, are alike.
    features : array_like, shape (t, p), optional
        Facts about the perturbation; NaN if unknown.

    Raises
    ------
    EstimatorInputError
        If shapes differ or a sum of squares is negative or not finite.
    """
    count = np.asarray(n, dtype=np.int64).reshape(-1)
    scatter = np.where(count >= 2, np.asarray(sum_squares, dtype=np.float64).reshape(-1), 0.0)
    if not np.isfinite(scatter).all() or (scatter < 0).any():
        bad = int(np.flatnonzero(~np.isfinite(scatter) | (scatter < 0))[0])
        raise EstimatorInputError(f"sum_squares of calculation {bad} is {scatter[bad]}; give a finite number from zero")
    columns, prior_mean, prior_sd, offset = _columns(len(count), stated_variance, group, features)
    freedom = np.maximum(count - 1, 0).astype(np.float64)
    # repeats that agree to the last digit are copies, and say nothing
    seen = (count >= 2) & (scatter > _LEAST_SD**2 * freedom)
    freedom = np.where(seen, freedom, 0.0)
    prior, dof = _fit(columns, offset, prior_mean, prior_sd, freedom, scatter, seen)
    total = dof + freedom
    return VarianceModel((dof * prior + np.where(seen, scatter, 0.0)) / total, total, prior, dof)


def _columns(
    size: int, stated: ArrayLike | None, group: ArrayLike | None, features: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the design matrix, prior mean and standard deviation of its coefficients, and the offset of each row."""
    known = np.full(size, np.nan) if stated is None else np.asarray(stated, dtype=np.float64).reshape(-1)
    known = np.where(known > 0, known, np.nan)
    has = np.isfinite(known)
    log_stated = np.zeros(size)
    centre = float(np.median(np.log(known[has]))) if has.any() else 0.0
    log_stated[has] = np.log(known[has]) - centre
    usual = np.where(has, centre + 2 * np.log(_STATED_FACTOR), 2 * np.log(_USUAL_SD))
    columns = [has.astype(float), (~has).astype(float), log_stated]
    mean, sd = [0.0, 0.0, _SLOPE], [_STATED_SPREAD, _USUAL_SPREAD, _SLOPE_SPREAD]
    labels = np.zeros(size, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64).reshape(-1)
    distinct = np.unique(labels)
    for label in distinct.tolist() if len(distinct) > 1 else []:
        columns.append((labels == label).astype(float))
        mean.append(0.0)
        sd.append(_GROUP_SPREAD)
    for column in np.zeros((0, size)) if features is None else np.asarray(features, dtype=np.float64).T:
        standard = _standardised(column)
        if standard.any():
            columns.append(standard)
            mean.append(0.0)
            sd.append(_FEATURE_SPREAD)
    if any(len(column) != size for column in columns):
        raise EstimatorInputError("n, stated_variance, group and features must have one row per calculation")
    return np.column_stack(columns), np.array(mean), np.array(sd), usual


def _standardised(column: FloatArray) -> FloatArray:
    known = np.isfinite(column)
    spread = float(column[known].std()) if known.any() else 0.0
    return np.where(known, (column - column[known].mean()) / spread, 0.0) if spread > 1e-12 else np.zeros(len(column))


def _fit(
    columns: FloatArray,
    offset: FloatArray,
    prior_mean: FloatArray,
    prior_sd: FloatArray,
    freedom: FloatArray,
    scatter: FloatArray,
    seen: NDArray[np.bool_],
) -> tuple[FloatArray, float]:
    """Return the prior variance of each calculation, and the degrees of freedom, averaged over those tried."""
    used, nu = columns[seen], freedom[seen]
    mean_square = scatter[seen] / np.maximum(nu, 1.0)
    observed = np.log(np.maximum(mean_square, 1e-300)) - (digamma(nu / 2) - np.log(nu / 2)) - offset[seen]
    logs, weights = np.empty((len(_DOFS), len(columns))), np.log(_DOF_PRIOR)
    for k, dof in enumerate(_DOFS):
        # the mean of the log of an inverse chi-squared variable is above the log of its scale
        bias = np.log(dof / 2) - digamma(dof / 2)
        noise = polygamma(1, nu / 2) + polygamma(1, dof / 2)
        scaled = used / noise[:, None]
        information = used.T @ scaled + np.diag(prior_sd**-2.0)
        right = scaled.T @ (observed - bias) + prior_mean / prior_sd**2
        logs[k] = offset + columns @ np.linalg.solve(information, right)
        if len(nu):
            weights[k] += _log_f(mean_square / np.exp(logs[k][seen]), nu, dof).sum()
    share = np.exp(weights - weights.max())
    share /= share.sum()
    return np.exp(share @ logs), float(np.exp(share @ np.log(_DOFS)))


def _log_f(ratio: FloatArray, nu: FloatArray, dof: float) -> FloatArray:
    """Return the log-density of log(ratio), for a ratio with the F distribution of nu and dof degrees of freedom."""
    result = gammaln((nu + dof) / 2) - gammaln(nu / 2) - gammaln(dof / 2) + nu / 2 * np.log(nu / dof * ratio)
    return np.asarray(result - (nu + dof) / 2 * np.log1p(nu / dof * ratio), dtype=np.float64)
