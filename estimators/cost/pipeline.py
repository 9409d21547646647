"""The fit of a cost model as scikit-learn's tools see it: a transformer, a linear regressor, and their pipeline.

Owns the adapters; the columns are defined in `design_columns`, the fit in `fit`. Predictions need none of this, since
importing scikit-learn takes longer than a prediction.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.pipeline import Pipeline

from .design_columns import Design, design
from .features import CostRows, derive
from .fit import Posterior, fit, noise_sd, row_variance

__all__ = ["CostColumns", "PooledRegressor", "cost_pipeline"]

FloatArray = NDArray[np.float64]


class CostColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scikit-learn transformer from features to the columns of a linear model of log hours.

    Parameters
    ----------
    most_levels : int
        Maximum number of groups and of campaigns with a column of their own, the most frequent first.

    Attributes
    ----------
    columns_ : DesignColumns
        Training columns.
    """

    def __init__(self, most_levels: int = 200) -> None:
        self.most_levels = most_levels

    def fit(self, X: CostRows, y: Any = None) -> Self:
        """Learn the columns of the rows.

        Parameters
        ----------
        X : CostRows
            Training rows.
        y : object, optional
            Ignored; scikit-learn passes it.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: CostRows, y: Any = None) -> Design:
        """Learn the columns of the rows, and return their design.

        Parameters
        ----------
        X : CostRows
            Training rows.
        y : object, optional
            Ignored; scikit-learn passes it.
        """
        laid_out = design(derive(X), most_levels=self.most_levels)
        self.columns_ = laid_out.columns
        return laid_out

    def transform(self, X: CostRows) -> Design:
        """Return the design of rows over the training columns, followed by unseen levels."""
        return design(derive(X), self.columns_)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns: block and level."""
        pairs = zip(self.columns_.block, self.columns_.level, strict=True)
        return np.array([f"{block}: {level}" for block, level in pairs], dtype=object)


class PooledRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Scikit-learn linear regressor with pooled levels, robust to outliers; used after `CostColumns`.

    Like `BayesianRidge`, but with one prior per block of columns, one noise level per Protocol, and a Student-t
    likelihood.

    Parameters
    ----------
    start : Posterior, optional
        Fit to similar rows to start from; saves iterations.

    Attributes
    ----------
    posterior_ : Posterior
    coef_ : ndarray, shape (p,)
        Mean of the posterior.
    """

    def __init__(self, start: Posterior | None = None) -> None:
        self.start = start

    def fit(self, X: Design, y: FloatArray) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : Design
            Design of m rows.
        y : ndarray, shape (m,)
            Targets, logarithms of durations.
        """
        self.posterior_ = fit(X, np.asarray(y, dtype=np.float64), start=self.start)
        self.coef_ = self.posterior_.mean
        return self

    def predict(self, X: Design, return_std: bool = False) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict means, and with `return_std` the standard deviations of single results, like `BayesianRidge`.

        Parameters
        ----------
        X : Design
            Design of m rows.
        return_std : bool, default False
            Also return standard deviations, shape (m,).
        """
        known = X.matrix[:, : X.n_known]
        mean: FloatArray = known @ self.coef_
        if not return_std:
            return mean
        noise = noise_sd(self.posterior_, X.derived)
        new = X.matrix[:, X.n_known :].power(2) @ np.array(
            [self.posterior_.spread[block] ** 2 for block in X.columns.block[X.n_known :]]
        )
        return mean, np.sqrt(row_variance(known, self.posterior_.covariance) + new + noise**2)


def cost_pipeline(start: Posterior | None = None) -> Pipeline:
    """Return the pipeline from features to the deviation of log hours from the physical prior."""
    return Pipeline([("columns", CostColumns()), ("regressor", PooledRegressor(start))])
