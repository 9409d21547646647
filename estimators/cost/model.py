"""A cost model at work: its parameters, and predictions from them.

Owns predictions of a model that was trained, read or derived from physics alone. `regressor` trains models; this module
does without scikit-learn, whose import takes seconds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from .card import ModelCard, card_of_prior
from .design_columns import DesignColumns
from .features import CostRows, derive
from .fit import Posterior, prior
from .predict import CostPrediction, Ranges, predict_from

__all__ = ["PHYSICS", "CostModel", "prior_model", "require_confidence"]

FloatArray = NDArray[np.float64]

#: Version of the physical prior. 1: less work for openfe's legs. 2: current, see `features`.
PHYSICS: Final = 2


class CostModel:
    """Hours of one result of a calculation, predicted.

    Rows are a DataFrame of polars or pandas, a structured array or a mapping of arrays, with some of the columns
    `features.FEATURES` and `features.STRINGS`.

    Parameters
    ----------
    posterior : Posterior
    card : ModelCard
    ranges : dict of str to dict of str to (float, float)
    physics : int

    Attributes
    ----------
    posterior_ : Posterior
        Its parameters.
    card_ : ModelCard
        Summary of the training data and of the errors on held-out results.
    ranges_ : dict of str to dict of str to (float, float)
        Minimum and maximum of each watched feature in the training data, by Protocol.
    physics_ : int
        Version of the physics that it corrects.
    """

    posterior_: Posterior
    card_: ModelCard
    ranges_: Ranges
    physics_: int

    def __init__(self, posterior: Posterior, card: ModelCard, ranges: Ranges, *, physics: int = PHYSICS) -> None:
        self.posterior_, self.card_, self.ranges_, self.physics_ = posterior, card, ranges, physics

    def predict(self, X: CostRows) -> FloatArray:
        """Predict the median hours.

        Parameters
        ----------
        X : CostRows
            Rows.

        Returns
        -------
        ndarray, shape (n,)
        """
        return self.predict_distribution(X).median

    def predict_interval(self, X: CostRows) -> FloatArray:
        """Predict the interval of hours that contains a result with the confidence of the model.

        Parameters
        ----------
        X : CostRows
            Rows.

        Returns
        -------
        ndarray, shape (n, 2)
        """
        predicted = self.predict_distribution(X)
        return np.stack([predicted.low, predicted.high], axis=1)

    def predict_distribution(self, X: CostRows) -> CostPrediction:
        """Predict the hours of one result per row: medians, intervals, shared errors, extrapolation.

        Parameters
        ----------
        X : CostRows
            Rows.

        Raises
        ------
        EstimatorInputError
            If a column is unknown, out of range, or has another length than the others; or if the model is superseded.
        """
        if self.is_superseded:
            raise EstimatorInputError("the cost model was trained by an older release; train it again")
        return predict_from(
            self.posterior_,
            derive(X),
            scale=self.card_.interval_scale,
            scales=self.card_.interval_scales,
            total_ratio=self.card_.total_ratio,
            confidence=self.card_.confidence,
            ranges=self.ranges_ if self.card_.n_rows else None,
        )

    @property
    def is_superseded(self) -> bool:
        """Return whether it corrects the physics of an older release: its card is readable, but it cannot predict."""
        return self.physics_ != PHYSICS


def prior_model(*, confidence: float = 0.9) -> CostModel:
    """Return the model without results: physics and published GPU speeds, with wide intervals."""
    card = card_of_prior(confidence=require_confidence(confidence))
    return CostModel(prior(DesignColumns((), ())), card, {})


def require_confidence(confidence: float) -> float:
    """Return the confidence of intervals; raise EstimatorInputError unless it is between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise EstimatorInputError(f"confidence is {confidence}; give a number between 0 and 1, as 0.9")
    return confidence
