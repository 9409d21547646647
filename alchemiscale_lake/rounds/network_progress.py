"""Progress of a network: its uncertainty against the GPU-hours it has cost, and the forecast to the target.

Owns the numbers of round reports. What is drawn of them is in `report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from ..errors import LakeError
from ..estimators.errors import EstimatorInputError
from ..ids import ScopedKey
from ..settings import Pools
from ..statestore.network_members import network_transformations
from ..store import Lake, collect, now_utc
from ..strategies.design_forecast import DesignForecast, forecast_design
from ..strategies.optimal_design import OptimalDesignSettings
from .design_history import lineage
from .network_rows import network_rows, task_counts
from .setting import get_strategy
from .strategy_plan import StrategyPlan

__all__ = ["NetworkProgress", "ProgressPoint", "network_progress"]

_OPTIMAL: Final = "optimal-design"


@dataclass(frozen=True, slots=True)
class ProgressPoint:
    """Uncertainty of one estimate version.

    Attributes
    ----------
    at : datetime
        When it was gathered.
    gpu_hours : float
        What the network's results had cost by then; worker-hours where no GPU was used.
    mean_uncertainty_kcal_mol, max_uncertainty_kcal_mol : float
        Root mean square, and largest, uncertainty of the ligands, as `gather` prints them.
    n_ligands : int
        Ligands with an estimate.
    """

    at: datetime
    gpu_hours: float
    mean_uncertainty_kcal_mol: float
    max_uncertainty_kcal_mol: float
    n_ligands: int


@dataclass(frozen=True, slots=True)
class NetworkProgress:
    """Progress of a network, with the networks from which it has grown.

    Attributes
    ----------
    network : str
        ScopedKey.
    networks : tuple of str
        The networks from which it has grown, oldest first, and itself last.
    gpu_hours : float
        What its results have cost so far.
    in_flight_gpu_hours : float
        Predicted cost of its Tasks in flight.
    budget_gpu_hours : float or None
    points : tuple of ProgressPoint
        By time.
    forecast : DesignForecast or None
        None if there is nothing to forecast, or that failed; its GPU-hours come on top of `gpu_hours`.
    note : str or None
        What the forecast assumes, or why there is none.
    """

    network: str
    networks: tuple[str, ...]
    gpu_hours: float
    in_flight_gpu_hours: float
    budget_gpu_hours: float | None
    points: tuple[ProgressPoint, ...]
    forecast: DesignForecast | None
    note: str | None


def network_progress(lake: Lake, network: str, *, pools: Pools | None = None) -> NetworkProgress:
    """Return the progress of a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    pools : Pools, optional
        Declares what Tasks need, for predicted costs.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    members = network_transformations(lake, network)
    networks = lineage(lake, network)
    spent = _spending(lake, network, members)
    plan = get_strategy(lake, network)
    forecast, in_flight, note = _forecast(lake, network, members, plan, pools)
    return NetworkProgress(
        network,
        tuple(networks),
        float(spent["gpu_hours"].sum()),
        in_flight,
        None if plan is None else plan.budget_gpu_hours,
        tuple(_points(lake, networks, spent)),
        forecast,
        note,
    )


def _spending(lake: Lake, network: str, members: Sequence[str]) -> pl.DataFrame:
    """Return the GPU-hours of every result that was computed in the network's Scope, and when they were recorded."""
    scope = str(ScopedKey.from_str(network).scope)
    cost = pl.when(pl.col("gpu_time_s") > 0).then(pl.col("gpu_time_s")).otherwise(pl.col("wall_time_s")) / 3600.0
    computed_here = (pl.col("scope") == scope) & pl.col("origin_attempt").is_null()
    rows = lake.table("results").scan().filter(computed_here & pl.col("transformation").is_in(members))
    return collect(rows.select("recorded_at", gpu_hours=cost.fill_null(0.0)), "the cost of results")


def _points(lake: Lake, networks: Sequence[str], spent: pl.DataFrame) -> list[ProgressPoint]:
    scope = str(ScopedKey.from_str(networks[0]).scope)
    rows = lake.table("network_estimates").scan().filter((pl.col("scope") == scope) & pl.col("network").is_in(networks))
    known = rows.filter(pl.col("uncertainty_kcal_mol").is_not_null() & pl.col("uncertainty_kcal_mol").is_finite())
    uncertainty = pl.col("uncertainty_kcal_mol")
    versions = known.group_by("network", "round").agg(
        at=pl.col("estimated_at").max(),
        mean=(uncertainty**2).mean().sqrt(),
        largest=uncertainty.max(),
        n=pl.len(),
    )
    frame = collect(versions, "estimates").sort("at", "network", "round")
    ordered = spent.sort("recorded_at").with_columns(total=pl.col("gpu_hours").cum_sum())
    frame = frame.join_asof(ordered.rename({"recorded_at": "at"}).select("at", "total"), on="at")
    return [
        ProgressPoint(row["at"], row["total"] or 0.0, row["mean"], row["largest"], row["n"])
        for row in frame.iter_rows(named=True)
    ]


def _forecast(
    lake: Lake, network: str, members: Sequence[str], plan: StrategyPlan | None, pools: Pools | None
) -> tuple[DesignForecast | None, float, str | None]:
    settings = None if plan is None else _design_settings(plan.strategy, plan.settings)
    assumed = plan or StrategyPlan(strategy=_OPTIMAL, digest="")
    counts = task_counts(lake.task_log.states(), members)
    try:
        rows = network_rows(lake, network, assumed, counts, n_rounds=0, at=now_utc(), pools=pools)
        in_flight = sum(row.n_in_flight * (row.gpu_hours or 0.0) for row in rows.transformations)
        forecast = forecast_design(rows, settings or OptimalDesignSettings())
    except (LakeError, EstimatorInputError) as e:
        return None, 0.0, f"there is no forecast: {e}"
    if forecast is None:
        return None, in_flight, "there is no forecast: no Transformation contributes to a difference between ligands"
    note = None if settings is not None else "as if the next Tasks were chosen by optimal-design"
    return forecast, in_flight, note


def _design_settings(strategy: str, settings: dict[str, Any]) -> OptimalDesignSettings | None:
    """Return the settings of optimal design, of a Strategy or of the first such member of a committee."""
    if strategy == _OPTIMAL:
        return OptimalDesignSettings.model_validate(settings)
    for member in settings.get("members", ()) if strategy == "committee" else ():
        if member.get("strategy") == _OPTIMAL:
            return OptimalDesignSettings.model_validate(member.get("settings") or {})
    return None
