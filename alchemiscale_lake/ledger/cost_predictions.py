"""What one more result of each Transformation will cost: by its own results, else by a model.

Owns how the two meet. Which model there is is `cost_models`'s, which evidence `cost_history`'s.
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

#: Repeats of one Transformation on one GPU model spread by about this much (log standard deviation), until the lake's
#: own tell better; this belief weighs as much as so many of them.
_REPEAT_SD: Final = 0.15
_REPEAT_WEIGHT: Final = 4.0
#: What a step from one GPU model, or packing, to another may be off by.
_MOVED_SD: Final = 0.2


@dataclass(frozen=True, slots=True)
class OwnResults:
    """What Transformations have cost themselves.

    Attributes
    ----------
    frame : polars.DataFrame
        One row per Transformation with results: transformation, n_own, log_hours (their mean), own_gpu, own_packing.
    repeat_sd : float
        How far repeats of one Transformation lie apart: log standard deviation, pooled over all.
    """

    frame: pl.DataFrame
    repeat_sd: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """Hours of one more result of each row: GPU-hours, worker-hours of those without GPU.

    Attributes
    ----------
    median, low, high : ndarray, shape (n,)
    shared : ndarray, shape (n, k)
        Row i errs in the logarithm by `shared[i] @ z`, with the same standard normal z for all rows ...
    own_sd : ndarray, shape (n,)
        ... and by as much of its own.
    basis : list of str
        On what each rests.
    extrapolates : ndarray of bool
        Whether nothing like it was seen.
    why : list of str
        In words; empty where it does not.
    repeat_sd : ndarray, shape (n,)
        How far the results of one row lie apart, log standard deviation: a part of `own_sd`.
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
        """Rows from one place to another."""
        return Ahead(*(getattr(self, field.name)[start:stop] for field in fields(self)))


def own_results(history: pl.DataFrame) -> OwnResults:
    """Sum up the results of each Transformation, those of the GPU model that it ran on most.

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
    """Predict.

    Parameters
    ----------
    known : KnownModel
    rows : polars.DataFrame
        One row per Transformation: transformation, and what `cost_rows` takes.
    own : OwnResults
        Those of a Transformation come before any model. Where they ran on another GPU model, the model says by how
        much that is faster or slower.
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
    # results of its own know what the model errs by; what is left is common to all that were moved to another GPU
    shared = np.hstack([predicted.shared * ~has_own[:, None], (_MOVED_SD * moved)[:, None]])
    # repeats of one Transformation scatter no more than results about what is predicted of them
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
    """Which own results are from another GPU model or packing, and the log ratio from there to here."""
    elsewhere = (pl.col("own_gpu") != pl.col("gpu_model")) | (pl.col("own_packing") - pl.col("packing")).abs().gt(0.01)
    moved = joined.select(elsewhere.fill_null(value=False)).to_series().to_numpy() & has_own
    ratio = np.zeros(len(rows))
    if moved.any():
        there = rows.with_columns(gpu_model=joined["own_gpu"], packing=joined["own_packing"]).filter(pl.Series(moved))
        ratio[moved] = np.log(median[moved] / known.model.predict_distribution(cost_rows(there)).median)
    return moved, ratio
