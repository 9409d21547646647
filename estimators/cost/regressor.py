"""Predicted cost of a calculation: a scikit-learn regressor with intervals.

Owns training. Predictions are in `model`, features in `features`, published GPU speeds in `gpu_speed`, the card in
`card`, the serialised form in `model_json`, the mathematics in `design_columns`, `fit`, `calibration` and `predict`.

The model is a learned correction to physics (number of steps x time of a step on that GPU model): a Gaussian mixed
model of log hours in which Protocols, GPU models, targets and campaigns are pooled. It starts from the prior, so one
result already shifts the level and hundreds determine it; an unseen GPU model or Protocol widens the interval.
Intervals are calibrated on held-out results.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import EstimatorInputError
from .card import card_of
from .features import CostRows, complete_rows, derive
from .model import PHYSICS, CostModel, prior_model, require_confidence
from .pipeline import cost_pipeline
from .predict import CostPrediction, feature_ranges

__all__ = ["CostRegressor"]

FloatArray = NDArray[np.float64]


class CostRegressor(RegressorMixin, BaseEstimator, CostModel):  # type: ignore[misc]
    """Scikit-learn regressor for the hours of one result of a calculation.

    Rows are a DataFrame of polars or pandas, a structured array or a mapping of arrays, with some of the columns
    `features.FEATURES` and `features.STRINGS`. `cross_val_predict` and other tools that split rows accept the first
    three. Without training rows it is the physical prior.

    Parameters
    ----------
    confidence : float
        Confidence of the intervals.
    random_state : int
        Seed of the splits that calibrate them.

    Attributes
    ----------
    pipeline_ : sklearn.pipeline.Pipeline
        From features to the deviation of log hours from physics; missing for a deserialised model, or one without
        rows.
    posterior_ : Posterior
        Its parameters.
    card_ : ModelCard
        Summary of the training data and of the errors on held-out results.
    ranges_ : dict of str to dict of str to (float, float)
        Minimum and maximum of each watched feature in the training data, by Protocol.
    physics_ : int
        Version of the physics that it corrects.

    Examples
    --------
    >>> import numpy as np
    >>> rows = {"n_atoms": np.array([3e4, 6e4]), "simulated_ns": np.array([6.0, 6.0]), "n_windows": np.full(2, 11.0)}
    >>> model = CostRegressor().fit(rows, [3.0, 6.5])
    >>> bool(3.0 < model.predict(rows)[1] < 12.0)
    True
    """

    pipeline_: Any

    def __init__(self, *, confidence: float = 0.9, random_state: int = 2026) -> None:
        self.confidence = confidence
        self.random_state = random_state

    def fit(self, X: CostRows, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn the deviations of results from the physical prior.

        Parameters
        ----------
        X : CostRows
            Rows of n results.
        y : array-like, shape (n,)
            Hours of each: GPU-hours, or worker-hours if it had no GPU.
        groups : array-like of str, shape (n,), optional
            Groups that must not be on both sides of a validation split: targets. Default: the column `group`; if that
            is empty too, rows are split at random.

        Returns
        -------
        CostRegressor
            Itself. The same rows give the same model.

        Raises
        ------
        EstimatorInputError
            If hours are not positive, lengths disagree, or a column is unknown.
        """
        # imports that only training needs, which are slow
        from .calibration import validate

        self.physics_ = PHYSICS
        complete, hours = complete_rows(X), np.array(y, dtype=np.float64)
        confidence = require_confidence(self.confidence)
        if len(hours) == 0:
            without = prior_model(confidence=confidence)
            self.posterior_, self.card_, self.ranges_ = without.posterior_, without.card_, without.ranges_
            return self
        labels = _groups(complete, groups, hours)
        if labels is not None and not (complete["group"] != "").any():
            complete["group"] = labels
        derived = derive(complete)
        log_hours = np.log(hours)
        self.pipeline_ = cost_pipeline().fit(complete, log_hours - derived.prior_log_hours)
        self.posterior_ = self.pipeline_["regressor"].posterior_
        self.ranges_ = feature_ranges(derived)
        checked = validate(
            complete, log_hours, labels, fitted=self.posterior_, confidence=confidence, seed=self.random_state
        )
        self.card_ = card_of(derived, self.ranges_, labels, checked, confidence=confidence, seed=self.random_state)
        return self

    def predict_distribution(self, X: CostRows) -> CostPrediction:
        """Predict the hours of one result per row, as `CostModel` does.

        Parameters
        ----------
        X : CostRows
            Rows.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it has not been fitted.
        EstimatorInputError
            If a column is unknown, out of range, or has another length than the others.
        """
        check_is_fitted(self, "posterior_")
        return super().predict_distribution(X)

    def __sklearn_tags__(self) -> Any:
        """Declare that rows are validated here, contain strings, and may be incomplete."""
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.target_tags.positive_only = True
        return tags


def _groups(rows: dict[str, NDArray[Any]], groups: ArrayLike | None, hours: FloatArray) -> NDArray[np.str_] | None:
    """Return the group of each row, or None; checks the lengths."""
    n = len(rows["protocol"])
    if hours.shape != (n,):
        raise EstimatorInputError(f"{n} cost rows have hours of shape {hours.shape}; give one number per row")
    if not (np.isfinite(hours) & (hours > 0)).all():
        bad = hours[~(np.isfinite(hours) & (hours > 0))]
        raise EstimatorInputError(f"{len(bad)} of {n} hours are not positive, the first is {bad[0]}; omit them")
    if groups is None:
        of_column: NDArray[np.str_] = rows["group"]
        return of_column if (of_column != "").any() else None
    labels = np.array(groups, dtype=np.str_)
    if labels.shape != (n,):
        raise EstimatorInputError(f"{n} cost rows have groups of shape {labels.shape}; give one per row")
    return labels
