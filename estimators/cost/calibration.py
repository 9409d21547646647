"""Errors of a cost model on held-out results, and calibration of its intervals.

Owns the errors over scikit-learn's splits, and the factor by which intervals are scaled (conformal calibration of
errors normalised by the model's own standard deviation). The model itself is in `cost_fit`.

References
----------
Lei et al. 2018, doi:10.1080/01621459.2017.1307116 (locally weighted conformal intervals);
Barber et al. 2021, doi:10.1214/20-AOS1965 (cross-conformal, CV+).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import BaseCrossValidator, GroupKFold, LeaveOneGroupOut

from .features import CostRows, derive
from .fit import Posterior, cost_pipeline
from .predict import feature_ranges, predict_from

__all__ = ["Validation", "validate"]

FloatArray = NDArray[np.float64]

# Groups are left out one by one up to this number of groups and of rows per fit; otherwise they are split into folds.
_MOST_SINGLE: Final = 20
_MOST_SINGLE_ROWS: Final = 600
_FOLDS: Final = 8
# Maximum number of rows in the validation; drawn evenly over the groups, by the seed.
_MOST_ROWS: Final = 6_000
# Fewer errors than this may only widen the intervals.
_ENOUGH: Final = 20
# Weight of the prior that sums need no correction, in held-out rows.
_TOTAL_WEIGHT: Final = 50.0


@dataclass(frozen=True, slots=True)
class Validation:
    """Errors on held-out results.

    Attributes
    ----------
    scheme : str
        Description of the splits.
    scale : float
        Factor for the standard deviations.
    mdape : float
        Median absolute percentage error of the medians, as a ratio (0.07 is 7 %); NaN without splits.
    mdape_constant : float
        The same for the median of all other rows.
    mdape_power_law : float
        The same for hours ~ steps x atoms ^ b, fitted to all other rows.
    coverage : float
        Fraction of the rows inside their interval, each scaled by the errors of the other splits.
    total_ratio : float
        Sum of hours of all held-out rows divided by the sum of predicted means, shrunk towards 1.
    n_rows : int
        Number of rows in the validation.
    """

    scheme: str
    scale: float
    mdape: float
    mdape_constant: float
    mdape_power_law: float
    coverage: float
    total_ratio: float
    n_rows: int


def validate(
    rows: CostRows,
    log_hours: FloatArray,
    groups: NDArray[np.str_] | None,
    *,
    fitted: Posterior,
    confidence: float,
    seed: int,
) -> Validation:
    """Predict every row from rows that share no group with it.

    Parameters
    ----------
    rows : mapping of str to ndarray
        Complete rows.
    log_hours : ndarray, shape (n,)
        Natural logarithm of the hours.
    groups : ndarray of str, shape (n,) or None
        Groups that must not be on both sides of a split; None for random splits.
    fitted : Posterior
        Fit to all rows, used as the start of fits to parts of them.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the splits.

    Returns
    -------
    Validation
        Errors, coverage and scale.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(log_hours))[:_MOST_ROWS])
    labels = np.arange(len(chosen)).astype(np.str_) if groups is None else groups[chosen]
    splitter, scheme = _splitter(labels, "rows" if groups is None else "groups", seed)
    scheme += "" if len(chosen) == len(log_hours) else f", {len(chosen):,} of {len(log_hours):,} rows"
    nothing = float("nan")
    if splitter is None:
        return Validation(scheme, 1.0, nothing, nothing, nothing, nothing, 1.0, 0)
    mine = {name: values[chosen] for name, values in rows.items()}
    truth = log_hours[chosen]
    mean, sd = np.empty(len(truth)), np.empty(len(truth))
    constant, power = np.empty(len(truth)), np.empty(len(truth))
    unlike = np.zeros(len(truth), dtype=bool)
    fold = np.empty(len(truth), dtype=np.intp)
    for k, (seen, out) in enumerate(splitter.split(truth, groups=labels)):
        fold[out] = k
        mean[out], sd[out], unlike[out] = _left_out(mine, truth, seen, out, fitted)
        constant[out] = DummyRegressor(strategy="median").fit(seen, truth[seen]).predict(out)
        power[out] = _power_law(mine, truth, seen, out)
    z = np.abs(truth - mean) / sd
    # Rows unlike all training rows show how wide the model guesses, not how well it is calibrated.
    counted = ~unlike if (~unlike).sum() >= _ENOUGH else np.ones(len(z), dtype=bool)
    scale = _scale(z[counted], confidence)
    return Validation(
        scheme=scheme,
        scale=scale,
        mdape=_mdape(mean, truth),
        mdape_constant=_mdape(constant, truth),
        mdape_power_law=_mdape(power, truth),
        coverage=_coverage(z, fold, counted, confidence),
        total_ratio=_total_ratio(truth[counted], mean[counted], scale * sd[counted]),
        n_rows=len(truth),
    )


def _left_out(
    rows: dict[str, NDArray],  # type: ignore[type-arg]
    log_hours: FloatArray,
    seen: NDArray[np.intp],
    out: NDArray[np.intp],
    fitted: Posterior,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return mean and standard deviation of held-out rows, and which are unlike the rest."""
    trained, asked = (derive({name: values[part] for name, values in rows.items()}) for part in (seen, out))
    pipeline = cost_pipeline(start=fitted).fit(trained.rows, log_hours[seen] - trained.prior_log_hours)
    predicted = predict_from(
        pipeline["regressor"].posterior_,
        asked,
        scale=1.0,
        total_ratio=1.0,
        confidence=0.9,
        ranges=feature_ranges(trained),
    )
    return np.log(predicted.median), predicted.sd_log, predicted.extrapolates


def _splitter(labels: NDArray[np.str_], what: str, seed: int) -> tuple[BaseCrossValidator | None, str]:
    """Return how to leave groups out, and its description; None if there is only one."""
    n = len(np.unique(labels))
    if n < 2 or (n <= _MOST_SINGLE and len(labels) <= _MOST_SINGLE_ROWS):
        return LeaveOneGroupOut() if n > 1 else None, f"each of {n} {what} left out once"
    folds = min(_FOLDS, n)
    return GroupKFold(folds, shuffle=True, random_state=seed), f"{folds} splits of {n:,} {what}"


def _scale(z: FloatArray, confidence: float) -> float:
    """Return the factor with which intervals reach their confidence for these errors."""
    n = len(z)
    if n == 0:
        return 1.0
    level = min(np.ceil((n + 1) * confidence) / n, 1.0)
    scale = float(np.quantile(z, level, method="higher") / ndtri(0.5 + confidence / 2.0))
    return scale if n >= _ENOUGH else max(scale, 1.0)


def _coverage(z: FloatArray, fold: NDArray[np.intp], counted: NDArray[np.bool_], confidence: float) -> float:
    """Return the fraction inside the interval, each split with the factor from the other splits."""
    inside = np.zeros(len(z), dtype=bool)
    for k in np.unique(fold):
        out = fold == k
        scale = _scale(z[~out & counted], confidence)
        inside[out] = z[out] <= np.where(counted[out], scale, max(scale, 1.0)) * ndtri(0.5 + confidence / 2.0)
    return float(inside.mean())


def _total_ratio(truth: FloatArray, mean: FloatArray, sd: FloatArray) -> float:
    """Return the sum of the hours divided by the sum of their log-normal means."""
    ratio = np.exp(truth).sum() / np.exp(mean + sd**2 / 2.0).sum()
    return float(np.exp(np.log(ratio) * len(truth) / (len(truth) + _TOTAL_WEIGHT)))


def _power_law(rows: CostRows, log_hours: FloatArray, seen: NDArray[np.intp], out: NDArray[np.intp]) -> FloatArray:
    """Fit log hours per step to log atoms by least squares; log hours per row where steps are unknown."""
    derived = derive(rows)
    steps = np.nan_to_num(np.log(np.where(derived.steps > 0, derived.steps, 1.0)))
    size = np.log(derived.n_atoms)[:, None]
    law: FloatArray = LinearRegression().fit(size[seen], (log_hours - steps)[seen]).predict(size[out]) + steps[out]
    return law


def _mdape(mean: FloatArray, truth: FloatArray) -> float:
    """Return the median of |predicted / true - 1|."""
    return float(np.median(np.abs(np.expm1(mean - truth))))
