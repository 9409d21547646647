"""What a calculation will cost, before it runs: a model of hours that knows how far it may be off.

Owns training, the trained model and its card, and its form on disk: plain parameters as JSON, never pickled code.
Features are in `features`, published GPU speeds in `gpu_speed`, the mathematics in `cost_design`, `cost_fit`,
`cost_calibration` and `cost_predict`.

The model is a correction of physics (steps x time of a step on that GPU model), learned from results: a Gaussian
mixed model of log hours in which Protocols, GPU models, targets and campaigns are pooled. It starts from the prior,
so that one result already shifts the level and hundreds decide it; a GPU model or Protocol never seen widens the
interval. Intervals are stretched by what they missed where the answer was left out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from estimators.cost_calibration import Validation, validate
from estimators.cost_design import BLOCKS, Columns, design
from estimators.cost_fit import Posterior, fit, prior
from estimators.cost_predict import CostPrediction, Ranges, feature_ranges, predict_from, total
from estimators.errors import EstimatorInputError
from estimators.features import CostRows, complete_rows, derive

__all__ = ["CostModel", "CostPrediction", "CostRows", "ModelCard", "from_json", "prior_model", "total", "train"]

FloatArray = NDArray[np.float64]

#: 1: corrects physics in which openfe's legs took less work, see `features`. 2: as of now.
_FORMAT: Final = 2
_PARAMETER_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a cost model rests on, for people.

    Attributes
    ----------
    n_rows : int
        Results it was trained on; 0 for the physical prior.
    protocols, gpu_models : dict of str to int
        Results of each.
    n_groups : int
        Groups that were kept together in the validation.
    feature_ranges : dict of str to (float, float)
        Smallest and largest of the features whose range is watched.
    confidence : float
        Of the intervals.
    validation : str
        How rows were left out.
    mdape, mdape_constant, mdape_power_law : float
        Median absolute percentage error (0.07 is 7 %) of left-out rows: of the model, of the median of the others,
        and of hours ~ steps x atoms ^ b. NaN without validation.
    coverage : float
        Part of left-out rows inside their interval.
    interval_scale : float
        By what the calibration stretched the intervals.
    total_ratio : float
        Hours of all left-out rows together over what was predicted of them.
    seed : int
        Of the splits.
    versions : dict of str to str
        Of what it was trained with.
    """

    n_rows: int
    protocols: dict[str, int]
    gpu_models: dict[str, int]
    n_groups: int
    feature_ranges: dict[str, tuple[float, float]]
    confidence: float
    validation: str
    mdape: float
    mdape_constant: float
    mdape_power_law: float
    coverage: float
    interval_scale: float
    total_ratio: float
    seed: int
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class CostModel:
    """A model of hours; make one with `train`, `prior_model` or `from_json`.

    Attributes
    ----------
    posterior : Posterior
        Its parameters.
    card : ModelCard
        What it rests on.
    ranges : dict of str to dict of str to (float, float)
        Least and most that it saw of each watched feature, by Protocol.
    format : int
        Of its JSON.
    """

    posterior: Posterior
    card: ModelCard
    ranges: Ranges
    format: int = _FORMAT

    @property
    def is_superseded(self) -> bool:
        """Whether it corrects the physics of an older release: its card can be read, hours it cannot predict."""
        return self.format != _FORMAT

    def predict(self, rows: CostRows) -> CostPrediction:
        """Predict the hours of one result of each row.

        Parameters
        ----------
        rows : mapping of str to array-like
            Features and strings, see `features.FEATURES` and `features.STRINGS`.

        Returns
        -------
        CostPrediction
            Medians, intervals, and where it extrapolates.

        Raises
        ------
        EstimatorInputError
            If a column is unknown, out of range, or not as long as the others; or if the model is superseded.
        """
        if self.is_superseded:
            raise EstimatorInputError("the cost model was trained by an older release; train it again")
        return predict_from(
            self.posterior,
            derive(rows),
            scale=self.card.interval_scale,
            total_ratio=self.card.total_ratio,
            confidence=self.card.confidence,
            ranges=self.ranges if self.card.n_rows else None,
        )

    def to_json(self) -> str:
        """Write the parameters and the card as JSON; the same model gives the same text."""
        posterior = self.posterior
        lower = np.tril_indices(len(posterior.mean))
        parameters = {
            "block": posterior.columns.block,
            "level": posterior.columns.level,
            "mean": [_short(value) for value in posterior.mean],
            "covariance_lower": [_short(value) for value in posterior.covariance[lower]],
            "spread": posterior.spread,
            "noise_sd": posterior.noise_sd,
            "protocol_noise_sd": posterior.protocol_noise_sd,
            "ranges": self.ranges,
        }
        card = {name: _plain(value) for name, value in asdict(self.card).items()}
        return json.dumps({"format": self.format, "card": card, "parameters": parameters}, sort_keys=True)


def prior_model(*, confidence: float = 0.9) -> CostModel:
    """What physics and published GPU speeds say where there is no result: sane medians, wide intervals.

    Parameters
    ----------
    confidence : float
        Of the intervals.

    Returns
    -------
    CostModel
        A model trained on nothing.
    """
    empty = Columns((), ())
    nothing = float("nan")
    card = ModelCard(
        n_rows=0,
        protocols={},
        gpu_models={},
        n_groups=0,
        feature_ranges={},
        confidence=_confidence(confidence),
        validation="none: physics and published GPU speeds",
        mdape=nothing,
        mdape_constant=nothing,
        mdape_power_law=nothing,
        coverage=nothing,
        interval_scale=1.0,
        total_ratio=1.0,
        seed=0,
        versions=_versions(),
    )
    return CostModel(prior(empty), card, {})


def train(
    rows: CostRows,
    gpu_hours: FloatArray,
    *,
    groups: NDArray[Any] | None = None,
    confidence: float = 0.9,
    seed: int = 2026,
) -> CostModel:
    """Learn from results what the physical prior gets wrong.

    Parameters
    ----------
    rows : mapping of str to array-like
        Features and strings of n results.
    gpu_hours : ndarray, shape (n,)
        What each took: GPU-hours, worker-hours where it had no GPU.
    groups : array-like of str, shape (n,), optional
        What must not be on both sides of a validation split: targets. The column `group` if not given; if that has
        nothing either, rows are left out at random.
    confidence : float
        Of the intervals.
    seed : int
        Of the validation splits.

    Returns
    -------
    CostModel
        The model; the prior's if n is 0. The same rows give the same model.

    Raises
    ------
    EstimatorInputError
        If hours are not positive, lengths disagree, or a column is unknown.
    """
    if len(gpu_hours) == 0:
        return prior_model(confidence=confidence)
    complete = complete_rows(rows)
    hours = np.array(gpu_hours, dtype=np.float64)
    labels = _groups(complete, groups, hours)
    if labels is not None and not (complete["group"] != "").any():
        complete["group"] = labels
    derived = derive(complete)
    posterior = fit(design(derived), np.log(hours) - derived.prior_log_hours)
    checked = validate(complete, np.log(hours), labels, fitted=posterior, confidence=_confidence(confidence), seed=seed)
    ranges = feature_ranges(derived)
    card = ModelCard(
        n_rows=len(hours),
        protocols=_counts(complete["protocol"]),
        gpu_models=_counts(derived.gpu_model),
        n_groups=0 if labels is None else len(np.unique(labels)),
        feature_ranges=_overall(ranges),
        confidence=confidence,
        seed=seed,
        versions=_versions(),
        **_checked(checked),
    )
    return CostModel(posterior, card, ranges)


def from_json(text: str) -> CostModel:
    """Read a model that `CostModel.to_json` wrote.

    Parameters
    ----------
    text : str
        The JSON.

    Returns
    -------
    CostModel
        The model.

    Raises
    ------
    EstimatorInputError
        If the text is no such model.
    """
    try:
        read = json.loads(text)
        if read["format"] not in range(1, _FORMAT + 1):
            raise EstimatorInputError(f"the cost model has format {read['format']}, not {_FORMAT}; train it again")
        parameters, card = read["parameters"], read["card"]
        columns = Columns(tuple(parameters["block"]), tuple(parameters["level"]))
        mean = np.array(parameters["mean"], dtype=np.float64)
        covariance = np.zeros((len(mean), len(mean)))
        covariance[np.tril_indices(len(mean))] = parameters["covariance_lower"]
        covariance += np.tril(covariance, -1).T
        spread = {block: float(parameters["spread"][block]) for block in BLOCKS}
        noise = {str(name): float(sd) for name, sd in parameters["protocol_noise_sd"].items()}
        posterior = Posterior(columns, mean, covariance, spread, float(parameters["noise_sd"]), noise)
        ranges = {str(of): _pairs(seen) for of, seen in parameters["ranges"].items()}
        overall = _pairs(card.pop("feature_ranges"))
        numbers: dict[str, Any] = {name: float("nan") if value is None else value for name, value in card.items()}
        return CostModel(posterior, ModelCard(feature_ranges=overall, **numbers), ranges, read["format"])
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        if isinstance(e, EstimatorInputError):
            raise
        raise EstimatorInputError(f"the text is no cost model ({type(e).__name__}: {e}); train it again") from e


def _groups(rows: dict[str, NDArray[Any]], groups: NDArray[Any] | None, hours: FloatArray) -> NDArray[np.str_] | None:
    """Group of each row, or None; checks the lengths on the way."""
    n = len(rows["protocol"])
    if hours.shape != (n,):
        raise EstimatorInputError(f"{n} cost rows have hours of shape {hours.shape}; give one number per row")
    if not (np.isfinite(hours) & (hours > 0)).all():
        bad = hours[~(np.isfinite(hours) & (hours > 0))]
        raise EstimatorInputError(f"{len(bad)} of {n} hours are not positive, the first is {bad[0]}; leave them out")
    if groups is None:
        of_column: NDArray[np.str_] = rows["group"]
        return of_column if (of_column != "").any() else None
    if len(groups) != n:
        raise EstimatorInputError(f"{n} cost rows have {len(groups)} groups; give one per row")
    return np.array(groups, dtype=np.str_)


def _checked(checked: Validation) -> dict[str, Any]:
    """What a validation puts on the card."""
    return {
        "validation": checked.scheme,
        "mdape": checked.mdape,
        "mdape_constant": checked.mdape_constant,
        "mdape_power_law": checked.mdape_power_law,
        "coverage": checked.coverage,
        "interval_scale": checked.scale,
        "total_ratio": checked.total_ratio,
    }


def _overall(ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Least and most of all Protocols."""
    names = {name for seen in ranges.values() for name in seen}
    pairs = {name: [seen[name] for seen in ranges.values() if name in seen] for name in sorted(names)}
    return {name: (min(least for least, _ in all_), max(most for _, most in all_)) for name, all_ in pairs.items()}


def _pairs(read: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Ranges as JSON has them."""
    return {str(name): (float(least), float(most)) for name, (least, most) in read.items()}


def _confidence(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise EstimatorInputError(f"confidence is {confidence}; give a number between 0 and 1, as 0.9")
    return confidence


def _counts(names: NDArray[np.str_]) -> dict[str, int]:
    return {str(name): int(count) for name, count in zip(*np.unique(names, return_counts=True), strict=True)}


def _versions() -> dict[str, str]:
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _short(value: float) -> float:
    """Enough digits for any prediction, and half the length."""
    return float(f"{value:.{_PARAMETER_DIGITS}g}")


def _plain(value: Any) -> Any:
    """NaN has no place in JSON."""
    return None if isinstance(value, float) and np.isnan(value) else value
