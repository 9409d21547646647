"""Cost models: trained on a lake's results, stored in `cost_models`, used for predictions.

A lake has one model for all Scopes: durations are pooled, since the speed of a GPU does not depend on the Scope. It
contains, of a Scope, the classes of its Protocols, GPU models, ranges of sizes, and digests that are meaningless
outside of it. `dispatch` uses the predictions.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from ..caller import Caller
from ..errors import EstimationError, NotFoundError, SettingsError
from ..estimators.cost.card import ModelCard
from ..estimators.cost.features import FEATURES, STRINGS
from ..estimators.cost.gpu_speed import known_models, speed_of
from ..estimators.cost.model import CostModel, prior_model
from ..estimators.cost.model_json import from_json, to_json
from ..estimators.errors import EstimatorInputError
from ..ids import Scope
from ..plurals import count
from ..store import Lake, collect, now_utc
from ..suggestions import did_you_mean
from .cost_history import CostHistory, cost_history
from .cost_rows import UNKNOWN_GPU, cost_rows
from .solute_diameters import with_stored_diameters

__all__ = [
    "KnownModel",
    "Training",
    "cost_models",
    "model_at_hand",
    "newest_model",
    "read_model",
    "require_known_gpu",
    "train_cost_model",
    "why_due",
]

#: Fraction of additional results after which a model is retrained.
_MORE: Final = 0.2
#: Number of results of a new Protocol or GPU model after which it is retrained at once.
_NEWS: Final = 3
_SEED: Final = 2026
#: Maximum number of results for a temporary model, which trains within a second or two.
_ON_THE_SPOT: Final = 500


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model and its origin.

    Attributes
    ----------
    model : CostModel
    name : str or None
        Its name in the lake; None for one that is not stored.
    trained_at : datetime or None
    """

    model: CostModel
    name: str | None = None
    trained_at: datetime | None = None

    @property
    def card(self) -> ModelCard:
        """Return the card of the model."""
        return self.model.card_

    @property
    def is_trained(self) -> bool:
        """Return whether it was trained on results."""
        return self.model.card_.n_rows > 0


@dataclass(frozen=True, slots=True)
class Training:
    """Outcome of a training request.

    Attributes
    ----------
    known : KnownModel
        The current model.
    trained : bool
        Whether this call trained it.
    why : str
        Why it was or was not trained.
    n_results : int
        Number of good results in the lake.
    """

    known: KnownModel
    trained: bool
    why: str
    n_results: int


def train_cost_model(lake: Lake, *, force: bool = False, caller: Caller | None = None) -> Training:
    """Train a model on all results of a lake if due, and store it.

    It is due at the first result, then when there are a fifth more results than at the last training, or three of a
    Protocol or GPU model that the last model has not seen, or after a release whose physics the last model does not
    support.

    Parameters
    ----------
    lake : Lake
    force : bool
        Train even if not due.
    caller : Caller, optional
        User who trains; default: the user of this process.

    Raises
    ------
    EstimationError
        If there is no result to train on, and `force` is set.
    """
    caller = caller or Caller.this_user()
    caller.require("admin", [Scope()])
    history = cost_history(lake)
    newest = _newest_row(lake)
    why = why_due(newest, history)
    if not len(history.rows):
        if force:
            raise EstimationError(
                f"there is nothing to train on: none of {count(history.n_results, 'good result')} has a measured cost; "
                "until Tasks have run, costs are estimated from physics",
                n_results=history.n_results,
            )
        return Training(newest_model(lake), False, "no result has a measured cost", history.n_results)
    if why is None and not force:
        counts = (
            f"{count(history.n_results, 'result')} now, {newest['n_results']} when it was trained" if newest else ""
        )
        return Training(newest_model(lake), False, f"there is little new data: {counts}", history.n_results)
    model = _trained(lake, history.rows)
    row = _row(model, history, caller, now_utc())
    lake.table("cost_models").append_new([row])
    known = KnownModel(model, str(row["model"]), row["trained_at"])
    return Training(known, True, why or "forced", history.n_results)


def require_known_gpu(gpu: str, known: KnownModel, history: pl.DataFrame) -> None:
    """Raise if nothing is known about the speed of a GPU model.

    Parameters
    ----------
    gpu : str
        Name as given by the user.
    known : KnownModel
        Its training data count.
    history : polars.DataFrame
        Results with a column gpu_model, which count too.

    Raises
    ------
    SettingsError
    """
    seen = {*known.card.gpu_models, *history["gpu_model"].drop_nulls()}
    if speed_of(gpu) is None and gpu not in seen:
        raise SettingsError(
            f"the speed of GPU model {gpu!r} is unknown; give it as a multiple of a listed model, as in "
            f'--gpu "0.8 x RTX 4090"{did_you_mean(gpu, {*known_models(), *seen})}',
            gpu=gpu,
        )


def why_due(newest: dict[str, Any] | None, history: CostHistory) -> str | None:
    """Return why a model is to be trained; None if it is not.

    Parameters
    ----------
    newest : dict or None
        Row of the newest model.
    history : CostHistory
    """
    if not len(history.rows):
        return None
    if newest is None:
        return "the first model"
    if _known(newest).model.is_superseded:
        return "the last model is from an older release"
    if history.n_results >= (1.0 + _MORE) * newest["n_results"] and history.n_results > newest["n_results"]:
        return f"{count(history.n_results, 'result')} now, {newest['n_results']} when the last model was trained"
    for column, seen in (("protocol_qualname", newest["protocols"]), ("gpu_model", newest["gpu_models"])):
        counts = history.rows.group_by(pl.col(column).fill_null(UNKNOWN_GPU)).len().filter(pl.col("len") >= _NEWS)
        new = sorted(set(counts[column]) - set(seen))
        if new:
            return f"results of {new[0]}, which the last model has not seen"
    return None


def newest_model(lake: Lake) -> KnownModel:
    """Return the current model: the newest, or the physical prior if this release has trained none."""
    row = _newest_row(lake)
    known = None if row is None else _known(row)
    return KnownModel(prior_model()) if known is None or known.model.is_superseded else known


def model_at_hand(lake: Lake, history: CostHistory) -> KnownModel:
    """Return the current model; if none was trained, a temporary one from the newest results.

    Parameters
    ----------
    lake : Lake
    history : CostHistory
        Results to train the temporary model on.
    """
    newest = newest_model(lake)
    if newest.is_trained or not len(history.rows):
        return newest
    return KnownModel(_trained(lake, history.rows.tail(_ON_THE_SPOT)))


def read_model(lake: Lake, name: str | None = None) -> KnownModel:
    """Return a model by its name or a prefix of it; without a name, the newest.

    Parameters
    ----------
    lake : Lake
    name : str, optional
        Name of the model, or its first letters.

    Raises
    ------
    NotFoundError
        If there is none with that name, or several.
    """
    if name is None:
        row = _newest_row(lake)
        return newest_model(lake) if row is None else _known(row)
    models = cost_models(lake).filter(pl.col("model").str.starts_with(name))
    if len(models) != 1:
        if len(models):
            raise NotFoundError(f"{name!r} matches {len(models)} cost models; give more of the name", model=name)
        meant = did_you_mean(name, cost_models(lake)["model"]) or "; `alchemiscale-lake cost-model list` lists all"
        raise NotFoundError(f"there is no cost model {name!r}{meant}", model=name)
    return _known(_rows(lake).filter(pl.col("model") == models["model"].item()).row(0, named=True))


def cost_models(lake: Lake) -> pl.DataFrame:
    """Return all models of a lake, newest first, without their parameters."""
    columns = [name for name in lake.table("cost_models").schema.names if name != "parameters_json"]
    return _rows(lake, columns)


def _trained(lake: Lake, rows: pl.DataFrame) -> CostModel:
    from ..estimators.cost.regressor import CostRegressor  # imports scikit-learn

    rows = with_stored_diameters(rows, lake)
    return CostRegressor(random_state=_SEED).fit(
        cost_rows(rows), rows["hours"].to_numpy(), groups=rows["target"].to_numpy()
    )


def _rows(lake: Lake, columns: list[str] | None = None) -> pl.DataFrame:
    scan = lake.table("cost_models").scan()
    rows = collect(scan if columns is None else scan.select(columns), "cost models")
    return rows.sort("trained_at", "model", descending=True)


def _newest_row(lake: Lake) -> dict[str, Any] | None:
    scan = lake.table("cost_models").scan()
    rows = collect(scan.sort("trained_at", "model", descending=True).head(1), "cost models")
    return rows.row(0, named=True) if len(rows) else None


def _known(row: dict[str, Any]) -> KnownModel:
    try:
        return KnownModel(from_json(row["parameters_json"]), row["model"], row["trained_at"])
    except EstimatorInputError as e:
        raise EstimationError(
            f"cost model {row['model']} cannot be read: {e}; `alchemiscale-lake cost-model train --force` replaces it",
            model=row["model"],
        ) from e


def _row(model: CostModel, history: CostHistory, caller: Caller, at: datetime) -> dict[str, Any]:
    card, parameters = model.card_, to_json(model)
    versions = card.versions | {"alchemiscale-lake": importlib.metadata.version("alchemiscale-lake")}
    return {
        # includes the time, since the same results give the same parameters
        "model": hashlib.sha256(f"{at.isoformat()} {parameters}".encode()).hexdigest()[:16],
        "trained_at": at,
        "actor": caller.name,
        "n_results": history.n_results,
        "n_rows": card.n_rows,
        "n_transformations": history.rows["transformation"].n_unique(),
        "n_targets": card.n_groups,
        "protocols": sorted(card.protocols),
        "gpu_models": sorted(history.rows["gpu_model"].fill_null(UNKNOWN_GPU).unique()),
        "features": [*FEATURES, *STRINGS],
        "ranges_json": json.dumps(card.feature_ranges, sort_keys=True),
        "error_fraction": _number(card.mdape),
        "constant_error_fraction": _number(card.mdape_constant),
        "power_law_error_fraction": _number(card.mdape_power_law),
        "coverage_fraction": _number(card.coverage),
        "confidence_fraction": card.confidence,
        "seed": card.seed,
        "versions_json": json.dumps(versions, sort_keys=True),
        "parameters_json": parameters,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
