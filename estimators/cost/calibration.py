"""Errors of a cost model on held-out results, and calibration of its intervals.

Owns the errors over scikit-learn's splits by group, from which `interval_scale` computes the factors of the intervals.
The model itself is in `fit`.

References
----------
Barber et al. 2021, doi:10.1214/20-AOS1965 (cross-conformal, CV+).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import BaseCrossValidator, GroupKFold, LeaveOneGroupOut

from .features import CostRows, derive
from .fit import Posterior
from .interval_scale import ENOUGH, calibrated_scale, row_scales
from .pipeline import cost_pipeline
from .predict import feature_ranges, predict_from

__all__ = ["Validation", "validate"]

FloatArray = NDArray[np.float64]

# Groups are left out one by one up to this number of groups and of rows per fit; otherwise they are split into folds.
_MOST_SINGLE: Final = 20
_MOST_SINGLE_ROWS: Final = 600
_FOLDS: Final = 8
# Maximum number of rows in the validation; drawn evenly over the groups, by the seed.
_MOST_ROWS: Final = 6_000
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
    scales : dict of str to float
        The same for kinds of rows with enough results, see `interval_scale`.
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
    scales: dict[str, float]
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
        return Validation(scheme, 1.0, {}, nothing, nothing, nothing, nothing, 1.0, 0)
    mine = {name: values[chosen] for name, values in rows.items()}
    truth = log_hours[chosen]
    held_out = _held_out(mine, truth, labels, splitter.split(truth, groups=labels), fitted)
    constant, power = _baselines(mine, truth, held_out.fold)
    scale, scales = _scales(held_out, np.ones(len(truth), dtype=bool), confidence)
    stretch = row_scales(held_out.kinds, scales, default=scale, unlike=~held_out.counted)
    return Validation(
        scheme=scheme,
        scale=scale,
        scales=scales,
        mdape=_mdape(held_out.mean, truth),
        mdape_constant=_mdape(constant, truth),
        mdape_power_law=_mdape(power, truth),
        coverage=_coverage(held_out, confidence),
        total_ratio=_total_ratio(truth, held_out.mean, stretch * held_out.sd, held_out.counted),
        n_rows=len(truth),
    )


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Rows predicted from others: log hours and their errors over the predicted sd; split, group and kind of each."""

    mean: FloatArray
    sd: FloatArray
    z: FloatArray
    fold: NDArray[np.intp]
    groups: NDArray[np.str_]
    kinds: NDArray[np.str_]
    # Rows unlike all training rows show how wide the model guesses, not how well it is calibrated.
    counted: NDArray[np.bool_]


def _held_out(
    rows: dict[str, NDArray],  # type: ignore[type-arg]
    log_hours: FloatArray,
    groups: NDArray[np.str_],
    splits: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]],
    fitted: Posterior,
) -> _HeldOut:
    """Predict the rows of each split from all other rows."""
    n = len(log_hours)
    mean, sd, unlike = np.empty(n), np.empty(n), np.zeros(n, dtype=bool)
    fold, kinds = np.empty(n, dtype=np.intp), np.empty(n, dtype=np.object_)
    for k, (seen, out) in enumerate(splits):
        trained, asked = (derive({name: values[part] for name, values in rows.items()}) for part in (seen, out))
        pipeline = cost_pipeline(start=fitted).fit(trained.rows, log_hours[seen] - trained.prior_log_hours)
        predicted = predict_from(
            pipeline["regressor"].posterior_,
            asked,
            scale=1.0,
            scales={},
            total_ratio=1.0,
            confidence=0.9,
            ranges=feature_ranges(trained),
        )
        fold[out], kinds[out] = k, predicted.kinds
        mean[out], sd[out], unlike[out] = np.log(predicted.median), predicted.sd_log, predicted.extrapolates
    counted = ~unlike if (~unlike).sum() >= ENOUGH else np.ones(n, dtype=bool)
    return _HeldOut(mean, sd, (log_hours - mean) / sd, fold, groups, kinds.astype(np.str_), counted)


def _scales(held_out: _HeldOut, which: NDArray[np.bool_], confidence: float) -> tuple[float, dict[str, float]]:
    """Return the factor of some rows together, and that of each of their kinds with enough rows."""
    counted = held_out.counted & which
    kinds, count = np.unique(held_out.kinds[counted], return_counts=True)
    scales = {}
    for kind in kinds[count >= ENOUGH]:
        mine = counted & (held_out.kinds == kind)
        scales[str(kind)] = calibrated_scale(held_out.z[mine], held_out.groups[mine], confidence)
    return calibrated_scale(held_out.z[counted], held_out.groups[counted], confidence), scales


def _baselines(
    rows: dict[str, NDArray],  # type: ignore[type-arg]
    log_hours: FloatArray,
    fold: NDArray[np.intp],
) -> tuple[FloatArray, FloatArray]:
    """Return log hours by the median of all other splits, and by a power law fitted to them."""
    constant, power = np.empty(len(log_hours)), np.empty(len(log_hours))
    for k in np.unique(fold):
        seen, out = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        constant[out] = DummyRegressor(strategy="median").fit(seen, log_hours[seen]).predict(out)
        power[out] = _power_law(rows, log_hours, seen, out)
    return constant, power


def _splitter(labels: NDArray[np.str_], what: str, seed: int) -> tuple[BaseCrossValidator | None, str]:
    """Return how to leave groups out, and its description; None if there is only one."""
    n = len(np.unique(labels))
    if n < 2 or (n <= _MOST_SINGLE and len(labels) <= _MOST_SINGLE_ROWS):
        return LeaveOneGroupOut() if n > 1 else None, f"each of {n} {what} left out once"
    folds = min(_FOLDS, n)
    return GroupKFold(folds, shuffle=True, random_state=seed), f"{folds} splits of {n:,} {what}"


def _coverage(held_out: _HeldOut, confidence: float) -> float:
    """Return the fraction inside the interval, each split with the factors from the other splits."""
    inside = np.zeros(len(held_out.z), dtype=bool)
    for k in np.unique(held_out.fold):
        out = held_out.fold == k
        scale, scales = _scales(held_out, ~out, confidence)
        stretch = row_scales(held_out.kinds[out], scales, default=scale, unlike=~held_out.counted[out])
        inside[out] = np.abs(held_out.z[out]) <= stretch * ndtri(0.5 + confidence / 2.0)
    return float(inside.mean())


def _total_ratio(truth: FloatArray, mean: FloatArray, sd: FloatArray, counted: NDArray[np.bool_]) -> float:
    """Return the sum of the hours divided by the sum of their log-normal means."""
    ratio = np.exp(truth[counted]).sum() / np.exp(mean + sd**2 / 2.0)[counted].sum()
    n = counted.sum()
    return float(np.exp(np.log(ratio) * n / (n + _TOTAL_WEIGHT)))


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
