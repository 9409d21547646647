"""Pooling of the scatter between repeats over a whole network, for the error of one result.

Owns the pooling over legs, and the resulting uncertainty of each mean. `replicates` combines the results of one leg;
`cycle_closure` and `shared_error` use the cycles.

Two or three repeats determine their own spread poorly, and the uncertainty that a Protocol states may be too small by
any factor, but a network has many legs. The variance of one result of leg i is modelled as

    sigma_i ** 2 = phi * v_i * d0 / chi2(d0)

with v_i the variance stated by the results of the leg (or the same constant for all legs if nothing is stated), phi a
factor common to the legs, and d0 their similarity: the moderated variance of Smyth 2004, with stated variances as its
trend. phi and d0 are not fitted to a point, as a few legs do not determine them: their posterior is computed on a
grid. The error of a leg's mean is then a mixture of Student t distributions, which shrinks the leg's own scatter
towards the network's; the reported uncertainty is its 97.5 % point over 1.96, so that plus and minus 1.96
uncertainties cover 95 %. For four and more degrees of freedom this is also within 2 % of the standard deviation, so
legs may be added in quadrature.

The uncertainties stated by a few legs may be meaningless (a failed error analysis with repeats that agree), and must
not affect the others: a fraction of 2 % of the legs is assumed to have an arbitrary ratio of scatter to stated
variance, log-normal around phi with standard deviation 6. `doubt` is the posterior probability of that.

Prior: log(phi) is normal around zero with standard deviation 2 if uncertainties are stated (published repeats of
relative binding free energies have phi near 1 in solvent and 8 in complex) and flat if they are not; log(d0) is
uniform between 1.5 and 400.

References
----------
Smyth 2004, "Linear models and empirical Bayes methods for assessing differential expression",
doi:10.2202/1544-6115.1027.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ..errors import EstimatorInputError
from ..statistics.normal_mixture import NORMAL_95

__all__ = ["PooledSpread", "pool_spread"]

_PRIOR_SD: Final = 2.0
_LEAST_DOF, _MOST_DOF = 1.5, 400.0
#: Fraction of legs with meaningless stated variances, and standard deviation of their log ratio to the others'.
_NONSENSE_SHARE: Final = 0.02
_NONSENSE_SD: Final = 6.0
#: Points of log(phi) and of log(d0): first over the whole range, then where the posterior is.
_PHI_POINTS: Final = 24
_DOF_POINTS: Final = 9
_BELOW, _ABOVE = 6.0, 4.0
#: Points with less than this fraction of the largest weight are left out.
_NEGLIGIBLE: Final = 5e-3
#: Quantiles are computed at this number of ratios of scatter to stated variance, and interpolated between.
_QUANTILE_POINTS: Final = 16
_LEAST_RATIO: Final = 1e-6
#: A leg with this many times the degrees of freedom of the network's contribution needs none of it.
_ALONE: Final = 2.0
_STEPS: Final = 4

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PooledSpread:
    """Posterior of the scatter of single results, from all legs that have repeats.

    Attributes
    ----------
    scale : {"own", "common"}
        Whether `ratio` multiplies the stated variances, or is itself the variance of every result, (kcal/mol)^2.
    ratio : float
        Posterior median of phi.
    prior_dof : float
        Posterior median of d0: the degrees of freedom that the network's spread contributes to one leg.
    degrees_of_freedom : int
        Total over all repeats.
    n_legs : int
        Number of legs with repeats.
    doubt : ndarray, shape (m,)
        For each given leg, the probability that its stated variance is meaningless; 0 for one without repeats.
    """

    scale: Literal["own", "common"]
    ratio: float
    prior_dof: float
    degrees_of_freedom: int
    n_legs: int
    doubt: FloatArray
    _phi: FloatArray
    _dof: FloatArray
    _weight: FloatArray

    def uncertainty(self, variance: ArrayLike, n: ArrayLike, sd: ArrayLike) -> FloatArray:
        """Return uncertainties of means, such that 95 % of them are within 1.96 uncertainties of the truth.

        Parameters
        ----------
        variance : array_like, shape (m,)
            Stated variance of one result, (kcal/mol)^2; arbitrary if nothing is stated.
        n : array_like of int, shape (m,)
            Number of results.
        sd : array_like, shape (m,)
            Their sample standard deviation, kcal/mol; NaN for one.
        """
        base, ratio, count = _ratios(variance, n, sd, self.scale)
        factor = np.empty(len(base))
        for dof in np.unique(count - 1):
            legs = count - 1 == dof
            factor[legs] = self._factors(float(dof), ratio[legs])
        return np.asarray(factor * np.sqrt(base / count), dtype=np.float64)

    def result_probability(self, away: ArrayLike, variance: ArrayLike, n: ArrayLike, sd: ArrayLike) -> FloatArray:
        """Return the probability that one more result is at least this far from the mean of the others, two-sided.

        If the others of a leg say far more on its scatter than the network does, which is so where stated uncertainties
        are far off, theirs alone must also make the result improbable: legs then differ by more than the model allows.

        Parameters
        ----------
        away : array_like, shape (m,)
            Result minus the mean of the others, kcal/mol.
        variance, n, sd : array_like, shape (m,)
            As in `uncertainty`, for the others.
        """
        base, ratio, count = _ratios(variance, n, sd, self.scale)
        distance = np.abs(np.asarray(away, dtype=np.float64)) / np.sqrt(base * (1 + 1 / count))
        total = np.zeros(len(base))
        for phi, dof, weight in zip(self._phi, self._dof, self._weight, strict=True):
            nu = dof + count - 1
            scale = np.sqrt((dof * phi + (count - 1) * ratio) / nu)
            total += weight * 2 * special.stdtr(nu, -distance / scale)
        alone = 2 * special.stdtr(np.maximum(count - 1, 1), -distance / np.sqrt(np.maximum(ratio, _LEAST_RATIO**2)))
        total = np.where(count - 1 >= _ALONE * self.prior_dof, np.maximum(total, alone), total)
        return np.minimum(total, 1.0)  # weights sum to one up to rounding

    def scatter_probability(self, variance: ArrayLike, n: ArrayLike, sd: ArrayLike) -> FloatArray:
        """Return the two-sided probability that the repeats of one leg scatter this much or this little.

        Parameters
        ----------
        variance : ArrayLike
            Stated variance of a single repeat.
        n : ArrayLike
            Number of repeats.
        sd : ArrayLike
            Observed standard deviation of the repeats.
        """
        base, ratio, count = _ratios(variance, n, sd, self.scale)
        more, less = np.zeros(len(base)), np.zeros(len(base))
        for phi, dof, weight in zip(self._phi, self._dof, self._weight, strict=True):
            more += weight * special.fdtrc(count - 1, dof, ratio / phi)
            less += weight * special.fdtr(count - 1, dof, ratio / phi)
        return np.asarray(np.minimum(2 * np.minimum(more, less), 1.0), dtype=np.float64)

    def _factors(self, dof: float, ratio: FloatArray) -> FloatArray:
        """Return the 97.5 % point over 1.96, in units of sqrt(v / n), by ratio of scatter to stated variance."""
        if dof == 0:
            return np.full(len(ratio), self._quantile(0.0, np.zeros(1))[0] / NORMAL_95)
        if len(ratio) <= _QUANTILE_POINTS:
            return self._quantile(dof, ratio) / NORMAL_95
        low, high = max(float(ratio.min()), _LEAST_RATIO), max(float(ratio.max()), 2 * _LEAST_RATIO)
        at = np.geomspace(low, high, _QUANTILE_POINTS)
        known = np.log(self._quantile(dof, at))
        between: FloatArray = np.exp(np.interp(np.log(np.maximum(ratio, low)), np.log(at), known)) / NORMAL_95
        return between

    def _quantile(self, dof: float, ratio: FloatArray) -> FloatArray:
        """Return the 97.5 % point of the mixture of t distributions, by Newton's method on its logarithm."""
        nu = self._dof + dof
        scale = np.sqrt((self._dof * self._phi + dof * ratio[:, None]) / nu)
        log_norm = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        point = scale @ self._weight * NORMAL_95
        for _ in range(_STEPS):
            t = point[:, None] / scale
            beyond = special.stdtr(nu, -t) @ self._weight
            density = (np.exp(log_norm - (nu + 1) / 2 * np.log1p(t**2 / nu)) / scale) @ self._weight
            # the tail is nearly a power law in the point, so its logarithm is nearly linear in that of the point
            step = np.log(beyond / 0.025) * beyond / (density * point)
            point = point * np.exp(np.clip(step, -1.0, 1.0))
        return np.asarray(point, dtype=np.float64)


def pool_spread(variance: ArrayLike | None, n: ArrayLike, sd: ArrayLike) -> PooledSpread:
    """Pool the scatter of repeats over legs.

    Parameters
    ----------
    variance : array_like, shape (m,), optional
        Stated variance of one result of each leg, (kcal/mol)^2, above zero. None if nothing is stated: then all
        results of all legs have one variance, up to d0.
    n : array_like of int, shape (m,)
        Number of results of each leg; those with one are ignored.
    sd : array_like, shape (m,)
        Their sample standard deviation (ddof = 1), kcal/mol.

    Raises
    ------
    EstimatorInputError
        If no leg has repeats, or a stated variance is not above zero.
    """
    given = np.ones(np.shape(n)) if variance is None else np.asarray(variance, dtype=np.float64)
    if not (given > 0).all():
        raise EstimatorInputError("stated variances must be positive; omit legs with zero or unknown uncertainty")
    scale: Literal["own", "common"] = "common" if variance is None else "own"
    _, ratio, count = _ratios(given, n, sd, scale)
    dof = count - 1
    repeated = dof > 0
    ratio, dof = np.maximum(ratio[repeated], _LEAST_RATIO**2), dof[repeated]
    if not len(dof):
        raise EstimatorInputError("no leg has repeats, so there is no scatter to pool")
    stated = scale == "own"
    share = _NONSENSE_SHARE if stated else 0.0
    log_phi, log_dof, weight = _posterior(ratio, dof, prior_sd=_PRIOR_SD if stated else np.inf, nonsense=share)
    kept = weight > _NEGLIGIBLE * weight.max()
    doubt = np.zeros(len(repeated))
    if stated:
        doubt[repeated] = _doubt(ratio, dof, log_phi, np.exp(log_dof), weight)
    phi, prior_dof = np.broadcast_arrays(np.exp(log_phi)[:, None], np.exp(log_dof))
    return PooledSpread(
        scale=scale,
        ratio=float(np.exp(_median(log_phi, weight.sum(axis=1)))),
        prior_dof=float(np.exp(_median(log_dof, weight.sum(axis=0)))),
        degrees_of_freedom=int(dof.sum()),
        n_legs=len(dof),
        doubt=doubt,
        _phi=phi[kept],
        _dof=prior_dof[kept],
        _weight=weight[kept] / weight[kept].sum(),
    )


def _ratios(
    variance: ArrayLike, n: ArrayLike, sd: ArrayLike, scale: str
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return base variance, ratio of scatter to it (0 for one result), and number of results."""
    count = np.asarray(n, dtype=np.int64)
    base = np.ones(len(count)) if scale == "common" else np.asarray(variance, dtype=np.float64)
    ratio = np.where(count > 1, np.asarray(sd, dtype=np.float64) ** 2 / base, 0.0)
    return base, ratio, count


def _posterior(
    ratio: FloatArray, dof: NDArray[np.int64], *, prior_sd: float, nonsense: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return points of log(phi), shape (p,), of log(d0), shape (q,), and the joint weights, shape (p, q)."""
    centre = float(np.log((dof @ ratio + 1e-12) / dof.sum()))
    shrunk = centre * prior_sd**2 / (prior_sd**2 + 2 / dof.sum()) if np.isfinite(prior_sd) else centre
    phi_range = (shrunk - _BELOW, shrunk + _ABOVE)
    dof_range = widest = (np.log(_LEAST_DOF), np.log(_MOST_DOF))
    for _ in range(2):
        log_phi, log_dof = np.linspace(*phi_range, _PHI_POINTS), np.linspace(*dof_range, _DOF_POINTS)
        likelihood = _log_likelihood(ratio, dof, log_phi, np.exp(log_dof), nonsense)
        log_weight = likelihood - 0.5 * (log_phi[:, None] / prior_sd) ** 2
        weight = np.exp(log_weight - log_weight.max())
        phi_range = _where_seen(log_phi, weight.max(axis=1))
        low, high = _where_seen(log_dof, weight.max(axis=0))
        dof_range = (max(low, widest[0]), min(high, widest[1]))
    return log_phi, log_dof, weight / weight.sum()


def _where_seen(points: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the range of all non-negligible weights, extended by one step on either side."""
    seen, step = np.flatnonzero(weight > _NEGLIGIBLE), points[1] - points[0]
    return float(points[seen[0]] - step), float(points[seen[-1]] + step)


def _log_likelihood(
    ratio: FloatArray, dof: NDArray[np.int64], log_phi: FloatArray, prior_dof: FloatArray, share: float
) -> FloatArray:
    """Return the likelihood of all log ratios: log(phi) plus that of an F variable, or meaningless; shape (p, q)."""
    total = np.zeros((len(log_phi), len(prior_dof)))
    for own in np.unique(dof):
        log_ratio = np.log(ratio[dof == own]) - log_phi[:, None]
        nonsense = _log_nonsense(log_ratio, share) if share else None
        for column, d0 in enumerate(prior_dof):
            sense = _log_sense(log_ratio, own, d0, share)
            total[:, column] += (sense if nonsense is None else np.logaddexp(sense, nonsense)).sum(axis=1)
    return total


def _doubt(
    ratio: FloatArray, dof: NDArray[np.int64], log_phi: FloatArray, prior_dof: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return the posterior probability that each leg is meaningless."""
    doubt = np.zeros(len(ratio))
    for own in np.unique(dof):
        log_ratio = np.log(ratio[dof == own]) - log_phi[:, None]
        nonsense = _log_nonsense(log_ratio, _NONSENSE_SHARE)
        for column, d0 in enumerate(prior_dof):
            sense = _log_sense(log_ratio, own, d0, _NONSENSE_SHARE)
            doubt[dof == own] += weight[:, column] @ special.expit(nonsense - sense)
    return doubt


def _log_sense(log_ratio: FloatArray, dof: int, d0: float, nonsense: float) -> FloatArray:
    """Return the log density of the logarithm of an F variable, times the fraction of meaningful legs."""
    constant = 0.5 * dof * np.log(dof / d0) - special.betaln(dof / 2, d0 / 2) + np.log1p(-nonsense)
    bent = 0.5 * (dof + d0) * np.log1p(np.exp(log_ratio) * (dof / d0))
    return np.asarray(constant + 0.5 * dof * log_ratio - bent, dtype=np.float64)


def _log_nonsense(log_ratio: FloatArray, share: float) -> FloatArray:
    """Return the log density of an arbitrary ratio, times the fraction of meaningless legs."""
    constant = np.log(share / _NONSENSE_SD) - 0.5 * np.log(2 * np.pi)
    return np.asarray(constant - 0.5 * (log_ratio / _NONSENSE_SD) ** 2, dtype=np.float64)


def _median(points: FloatArray, weight: FloatArray) -> float:
    return float(np.interp(0.5, (np.cumsum(weight) - 0.5 * weight) / weight.sum(), points))
