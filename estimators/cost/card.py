"""The card of a cost model: a summary of its training data and errors for users.

Owns the card and how training fills it in; `cost_calibration` determines the errors.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from .features import Derived
from .predict import Ranges

if TYPE_CHECKING:
    from .calibration import Validation

__all__ = ["ModelCard", "card_of", "card_of_prior"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Summary of a cost model for users.

    Attributes
    ----------
    n_rows : int
        Number of results it was trained on; 0 for the physical prior.
    protocols, gpu_models : dict of str to int
        Number of results of each.
    n_groups : int
        Number of groups in the validation.
    feature_ranges : dict of str to (float, float)
        Minimum and maximum of the features whose range is watched.
    confidence : float
        Confidence of the intervals.
    validation : str
        Description of the splits.
    mdape, mdape_constant, mdape_power_law : float
        Median absolute percentage error (0.07 is 7 %) of held-out rows: of the model, of the median of the others, and
        of hours ~ steps x atoms ^ b. NaN without validation.
    coverage : float
        Fraction of held-out rows inside their interval.
    interval_scale : float
        Factor by which calibration scaled the intervals.
    interval_scales : dict of str to float
        The same for kinds of rows with enough held-out results, see `interval_scale`.
    total_ratio : float
        Sum of hours of all held-out rows divided by the predicted sum.
    seed : int
        Seed of the splits.
    versions : dict of str to str
        Versions of the packages it was trained with.
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
    interval_scales: dict[str, float] = field(default_factory=dict)


def card_of(
    derived: Derived,
    ranges: Ranges,
    labels: NDArray[np.str_] | None,
    checked: Validation,
    *,
    confidence: float,
    seed: int,
) -> ModelCard:
    """Return the card of a trained model.

    Parameters
    ----------
    derived : Derived
        Rows.
    ranges : dict
        Ranges of their features.
    labels : ndarray of str, shape (n,) or None
        Groups of the validation.
    checked : Validation
        Outcome of the validation.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the splits.
    """
    return ModelCard(
        n_rows=len(derived.n_atoms),
        protocols=_counts(derived.rows["protocol"]),
        gpu_models=_counts(derived.gpu_model),
        n_groups=0 if labels is None else len(np.unique(labels)),
        feature_ranges=_overall(ranges),
        confidence=confidence,
        validation=checked.scheme,
        mdape=checked.mdape,
        mdape_constant=checked.mdape_constant,
        mdape_power_law=checked.mdape_power_law,
        coverage=checked.coverage,
        interval_scale=checked.scale,
        total_ratio=checked.total_ratio,
        seed=seed,
        versions=_versions(),
        interval_scales=checked.scales,
    )


def card_of_prior(*, confidence: float) -> ModelCard:
    """Return the card of a model without results."""
    nothing = float("nan")
    return ModelCard(
        n_rows=0,
        protocols={},
        gpu_models={},
        n_groups=0,
        feature_ranges={},
        confidence=confidence,
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


def _overall(ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Return minimum and maximum over all Protocols."""
    names = {name for seen in ranges.values() for name in seen}
    pairs = {name: [seen[name] for seen in ranges.values() if name in seen] for name in sorted(names)}
    return {name: (min(least for least, _ in all_), max(most for _, most in all_)) for name, all_ in pairs.items()}


def _counts(names: NDArray[np.str_]) -> dict[str, int]:
    return {str(name): int(count) for name, count in zip(*np.unique(names, return_counts=True), strict=True)}


def _versions() -> dict[str, Any]:
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": version("scikit-learn"),  # importing it takes seconds
    }
