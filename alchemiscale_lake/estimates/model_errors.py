"""Choice of the model error for ranking the ligands of a network.

The options are a requested value, assays of the network's own ligands, and published benchmarks. The error and its
estimation are in `estimators.statistics.model_error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import EstimationError
from ..estimators.statistics.model_error import PUBLISHED_BINDING, ModelError, estimate_model_error
from ..plurals import count, verb

__all__ = ["AskedModelError", "ChosenModelError", "choose_model_error"]

#: `auto`, a standard deviation in kcal/mol, or None for no model error.
AskedModelError = Literal["auto"] | float | None

#: Minimum number of ligands with assays to estimate a model error without a benchmark.
_LEAST_ASSAYS: Final = 5

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChosenModelError:
    """Model error of a kind and component.

    Attributes
    ----------
    kind : str
        `binding`, `hydration` or `direct`.
    component : int
    error : ModelError
    source : str
        Description of its source.
    """

    kind: str
    component: int
    error: ModelError
    source: str


def choose_model_error(
    asked: AskedModelError, group: pl.DataFrame, covariance: FloatArray | None
) -> ChosenModelError | None:
    """Choose the model error of one component.

    Parameters
    ----------
    asked : "auto", float or None
    group : polars.DataFrame
        Ligands of the component: columns kind, component, value_kcal_mol, uncertainty_kcal_mol,
        experiment_kcal_mol, experiment_uncertainty_kcal_mol.
    covariance : ndarray, shape (n, n), or None
        Covariance of these ligands, if stored; otherwise they are treated as independent.

    Raises
    ------
    EstimationError
        If `auto` has no data.
    """
    if asked is None:
        return None
    kind, component = str(group["kind"][0]), int(group["component"][0])
    if asked != "auto":
        return ChosenModelError(kind, component, ModelError(float(asked)), "as asked for")
    prior = PUBLISHED_BINDING if kind == "binding" else None
    known = group["experiment_kcal_mol"].is_not_null().to_numpy()
    n = int(known.sum())
    if prior is None and n < _LEAST_ASSAYS:
        message = (
            f"there is no model error for {kind}: published benchmarks are of binding, and "
            f"{count(n, 'ligand')} {verb(n, 'has', 'have')} assays, "
        )
        message += f"where {_LEAST_ASSAYS} are needed; give one in kcal/mol, as in --model-error 1.0, or import assays"
        raise EstimationError(message)
    published = "published benchmarks of relative binding"
    if n < 2:
        return ChosenModelError(kind, component, PUBLISHED_BINDING, published)
    numbers = group.select("uncertainty_kcal_mol", "experiment_uncertainty_kcal_mol").cast(pl.Float64)
    own = numbers["uncertainty_kcal_mol"].to_numpy()
    spread = np.diag(own**2) if covariance is None else covariance
    error = estimate_model_error(
        group["value_kcal_mol"].to_numpy()[known],
        group["experiment_kcal_mol"].cast(pl.Float64).to_numpy()[known],
        spread[np.ix_(known, known)],
        experiment_uncertainty_kcal_mol=numbers["experiment_uncertainty_kcal_mol"].fill_null(0.0).to_numpy()[known],
        prior=prior,
    )
    source = count(n, "ligand") + " with assays" + (f", and {published}" if prior is not None else "")
    return ChosenModelError(kind, component, error, source)
