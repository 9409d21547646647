"""Predicted cost of one more result of each Transformation: from its own results, else from a model.

Owns the combination of the two. `cost_models` provides the model, `cost_history` the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from .cost_models import KnownModel
from .cost_rows import cost_rows

__all__ = ["Ahead", "Basis", "OwnResults", "hours_ahead", "own_results"]

FloatArray = NDArray[np.float64]
Basis = Literal["own results", "trained model", "physical prior"]

#: Prior for the spread between repeats of one Transformation on one GPU model (log standard deviation), until the
#: lake's own results give a better estimate; it has the weight of this many repeats.
_REPEAT_SD: Final = 0.15
_REPEAT_WEIGHT: Final = 4.0
#: Uncertainty of a conversion from one GPU model, or packing, to another.
_MOVED_SD: Final = 0.2


@dataclass(frozen=True, slots=True)
class OwnResults:
    """Costs of Transformations from their own results.

    Attributes
    ----------
    frame : polars.DataFrame
        One row per Transformation with results: transformation, n_own, log_hours (their mean), own_gpu, own_packing.
    repeat_sd : float
        Spread between repeats of one Transformation: log standard deviation, pooled over all.
    """

    frame: pl.DataFrame
    repeat_sd: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """Hours of one more result per row: GPU-hours, or worker-hours for those without GPU.

    Attributes
    ----------
    median, low, high : ndarray, shape (n,)
    shared : ndarray, shape (n, k)
        The log error of row i is `shared[i] @ z`, with the same standard normal z for all rows ...
    own_sd : ndarray, shape (n,)
        ... plus an independent error of this size.
    basis : list of str
        Basis of each prediction.
    extrapolates : ndarray of bool
        Whether nothing similar was seen.
    why : list of str
        Reason, if it extrapolates; else empty.
    repeat_sd : ndarray, shape (n,)
        Spread between the results of one row, log standard deviation: a part of `own_sd`.
    """

    median: FloatArray
    low: FloatArray
    high: FloatArray
    shared: FloatArray
    own_sd: FloatArray
    basis: list[Basis]
    extrapolates: NDArray[np.bool_]
    why: list[str]
    repeat_sd: FloatArray

    def part(self, start: int, stop: int) -> Ahead:
        """Return a slice of the rows.

        Parameters
        ----------
        start : int
            First row.
        stop : int
            Row after the last.
        """
        return Ahead(*(getattr(self, field.name)[start:stop] for field in fields(self)))


def own_results(history: pl.DataFrame) -> OwnResults:
    """Summarise the results of each Transformation on the GPU model that it ran on most.

    Parameters
    ----------
    history : polars.DataFrame
        Rows of `CostHistory`.
    """
    log_hours = pl.col("hours").log()
    by = ("transformation", "gpu_model", "packing")
    groups = history.group_by(by).agg(
        n_own=pl.len(), log_hours=log_hours.mean(), squares=log_hours.var().fill_null(0.0) * (pl.len() - 1)
    )
    squares, free = float(groups["squares"].sum()), int((groups["n_own"] - 1).sum())
    frame = groups.sort("transformation", "n_own", "gpu_model", descending=[False, True, False])
    frame = frame.unique("transformation", keep="first", maintain_order=True)
    return OwnResults(
        frame.select("transformation", "n_own", "log_hours", own_gpu="gpu_model", own_packing="packing"),
        float(np.sqrt((squares + _REPEAT_WEIGHT * _REPEAT_SD**2) / (free + _REPEAT_WEIGHT))),
    )


def hours_ahead(known: KnownModel, rows: pl.DataFrame, own: OwnResults) -> Ahead:
    """Predict the hours of one more result.

    Parameters
    ----------
    known : KnownModel
    rows : polars.DataFrame
        One row per Transformation: transformation, and the inputs of `cost_rows`.
    own : OwnResults
        Results of a Transformation take precedence over any model. If they ran on another GPU model, the model
        provides the ratio of speeds.
    """
    predicted = known.model.predict_distribution(cost_rows(rows))
    joined = rows.select("transformation", "gpu_model", "packing").join(
        own.frame, on="transformation", how="left", maintain_order="left"
    )
    has_own = joined["n_own"].is_not_null().to_numpy()
    n_own = joined["n_own"].fill_null(1).to_numpy()
    moved, ratio = _moved(known, rows, joined, has_own, predicted.median)
    own_log = joined["log_hours"].fill_null(0.0).to_numpy() + ratio
    mean = np.where(has_own, own_log, np.log(predicted.median))
    # own results include the model's error; what remains is common to all that were converted to another GPU
    shared = np.hstack([predicted.shared * ~has_own[:, None], (_MOVED_SD * moved)[:, None]])
    # repeats of one Transformation scatter no more than results around their prediction
    repeat_sd = np.minimum(own.repeat_sd, predicted.own_sd)
    own_sd = np.where(has_own, repeat_sd * np.sqrt(1.0 + 1.0 / n_own), predicted.own_sd)
    reach = ndtri(0.5 + predicted.confidence / 2.0) * np.sqrt((shared**2).sum(axis=1) + own_sd**2)
    of_model: Basis = "trained model" if known.is_trained else "physical prior"
    return Ahead(
        median=np.exp(mean),
        low=np.exp(mean - reach),
        high=np.exp(mean + reach),
        shared=shared,
        own_sd=own_sd,
        basis=["own results" if has else of_model for has in has_own],
        extrapolates=predicted.extrapolates & ~has_own & known.is_trained,
        why=["" if has else why for has, why in zip(has_own, predicted.why, strict=True)],
        repeat_sd=repeat_sd,
    )


def _moved(
    known: KnownModel, rows: pl.DataFrame, joined: pl.DataFrame, has_own: NDArray[np.bool_], median: FloatArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return which own results are from another GPU model or packing, and the log ratio for conversion."""
    elsewhere = (pl.col("own_gpu") != pl.col("gpu_model")) | (pl.col("own_packing") - pl.col("packing")).abs().gt(0.01)
    moved = joined.select(elsewhere.fill_null(value=False)).to_series().to_numpy() & has_own
    ratio = np.zeros(len(rows))
    if moved.any():
        there = rows.with_columns(gpu_model=joined["own_gpu"], packing=joined["own_packing"]).filter(pl.Series(moved))
        ratio[moved] = np.log(median[moved] / known.model.predict_distribution(cost_rows(there)).median)
    return moved, ratio
