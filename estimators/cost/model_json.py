"""Serialisation of cost models: plain parameters as JSON, never pickled code."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from ..errors import EstimatorInputError
from .card import ModelCard
from .design_columns import BLOCKS, DesignColumns
from .fit import Posterior
from .model import PHYSICS, CostModel

__all__ = ["from_json", "to_json"]

_PARAMETER_DIGITS: Final = 12


def to_json(model: CostModel) -> str:
    """Serialise the parameters and the card of a model as JSON; the same model gives the same text."""
    posterior = model.posterior_
    lower = np.tril_indices(len(posterior.mean))
    parameters = {
        "block": posterior.columns.block,
        "level": posterior.columns.level,
        "mean": [_short(value) for value in posterior.mean],
        "covariance_lower": [_short(value) for value in posterior.covariance[lower]],
        "spread": posterior.spread,
        "noise_sd": posterior.noise_sd,
        "protocol_noise_sd": posterior.protocol_noise_sd,
        "ranges": model.ranges_,
    }
    card = {name: _plain(value) for name, value in asdict(model.card_).items()}
    return json.dumps({"format": model.physics_, "card": card, "parameters": parameters}, sort_keys=True)


def from_json(text: str) -> CostModel:
    """Read a model written by `to_json`, of this release or an older one.

    Parameters
    ----------
    text : str
        The JSON.

    Returns
    -------
    CostModel
        The model; one of an older release may be superseded.

    Raises
    ------
    EstimatorInputError
        If the text is not such a model.
    """
    try:
        read = json.loads(text)
        if read["format"] not in range(1, PHYSICS + 1):
            raise EstimatorInputError(f"the cost model has format {read['format']}, not {PHYSICS}; train it again")
        card = read["card"]
        overall = _pairs(card.pop("feature_ranges"))
        numbers: dict[str, Any] = {name: float("nan") if value is None else value for name, value in card.items()}
        ranges = {str(of): _pairs(seen) for of, seen in read["parameters"]["ranges"].items()}
        model = CostModel(
            _posterior(read["parameters"]),
            ModelCard(feature_ranges=overall, **numbers),
            ranges,
            physics=int(read["format"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        if isinstance(e, EstimatorInputError):
            raise
        raise EstimatorInputError(f"the text is not a cost model ({type(e).__name__}: {e}); train it again") from e
    return model


def _posterior(parameters: dict[str, Any]) -> Posterior:
    columns = DesignColumns(tuple(parameters["block"]), tuple(parameters["level"]))
    mean = np.array(parameters["mean"], dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.tril_indices(len(mean))] = parameters["covariance_lower"]
    covariance += np.tril(covariance, -1).T
    spread = {block: float(parameters["spread"].get(block, sd)) for block, (sd, _) in BLOCKS.items()}
    noise = {str(name): float(sd) for name, sd in parameters["protocol_noise_sd"].items()}
    return Posterior(columns, mean, covariance, spread, float(parameters["noise_sd"]), noise)


def _pairs(read: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return ranges as tuples."""
    return {str(name): (float(least), float(most)) for name, (least, most) in read.items()}


def _short(value: float) -> float:
    """Round to the digits needed for any prediction, at half the length."""
    return float(f"{value:.{_PARAMETER_DIGITS}g}")


def _plain(value: Any) -> Any:
    """Replace NaN, which JSON lacks, by None."""
    return None if isinstance(value, float) and np.isnan(value) else value
