"""A network as Strategies see it: rows of Transformations, from tables, forecasts and the state of Tasks."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from ..costs.forecast import Forecast
from ..ids import ScopedKey
from ..networks.measures import MEASURES, is_absent
from ..query import connect_to_networks, read_sql, statement
from ..settings import Pools
from ..store import Lake, collect
from ..strategies.strategy_rows import NetworkRows, TransformationRow
from ..tasks import TaskStates
from .link_rows import link_rows, links_for
from .strategy_plan import StrategyPlan

__all__ = ["TaskCounts", "network_rows", "task_counts"]

_DAY: Final = timedelta(days=1)
_PHASES: Final = ("complex", "solvent", "vacuum")


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """Tasks of the Transformations of a network.

    Attributes
    ----------
    complete, failed, in_flight : mapping of str to int
        By Transformation; those in flight are waiting or running, and actioned on some network.
    """

    complete: Mapping[str, int]
    failed: Mapping[str, int]
    in_flight: Mapping[str, int]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what has ended: it changes if there is something new to decide on."""
        ended = [sorted(counts.items()) for counts in (self.complete, self.failed)]
        return hashlib.sha256(json.dumps(ended).encode()).hexdigest()


def task_counts(states: TaskStates, transformations: Sequence[str]) -> TaskCounts:
    """Count the Tasks of Transformations.

    Parameters
    ----------
    states : TaskStates
    transformations : sequence of str
        ScopedKeys.
    """
    tasks = states.tasks.filter(pl.col("transformation").is_in(list(transformations)))
    live = tasks.filter(pl.col("status").is_in(["waiting", "running"]))
    live = live.join(states.live_actions().select("task").unique(), on="task", how="semi")
    frames = (tasks.filter(status="complete"), tasks.filter(status="error"), live)
    return TaskCounts(*(dict(frame.group_by("transformation").len().sort("transformation").rows()) for frame in frames))


def network_rows(
    lake: Lake,
    network: str,
    plan: StrategyPlan,
    counts: TaskCounts,
    *,
    n_rounds: int,
    at: datetime,
    pools: Pools | None,
    links: pl.DataFrame | None = None,
) -> NetworkRows:
    """Return the rows on which a Strategy decides.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    plan : StrategyPlan
        Its limits become limits of the round.
    counts : TaskCounts
        Tasks of its Transformations.
    n_rounds : int
        Number of earlier rounds.
    at : datetime
        Time of the round.
    pools : Pools or None
        Declares what Tasks need, for predicted costs.
    links : polars.DataFrame, optional
        From `links_for`; read if not given.
    """
    connection = connect_to_networks(lake, [network], ("legs_for_rounds",)).connection
    legs = read_sql(connection, statement("legs_for_rounds"), {"network": network, "since": at - _DAY})
    hours = _predicted_hours(lake, legs["transformation"], pools)
    rows = [_row(leg, hours.get(leg["transformation"]), counts, plan) for leg in legs.iter_rows(named=True)]
    in_flight_hours = sum(row.n_in_flight * (row.gpu_hours or 0.0) for row in rows)
    return NetworkRows(
        transformations=tuple(rows),
        links=link_rows(links_for(lake, network) if links is None else links, legs),
        round=n_rounds,
        max_tasks=_most_tasks(plan, sum(row.n_in_flight for row in rows)),
        max_gpu_hours=_most_hours(lake, network, plan, pools, float(legs["recent_gpu_hours"].sum()) + in_flight_hours),
        spent_gpu_hours=float(legs["spent_gpu_hours"].sum()) + in_flight_hours,
        budget_gpu_hours=plan.budget_gpu_hours,
    )


def _row(leg: Mapping[str, Any], hours: float | None, counts: TaskCounts, plan: StrategyPlan) -> TransformationRow:
    key = leg["transformation"]
    n_failed, n_in_flight = counts.failed.get(key, 0), counts.in_flight.get(key, 0)
    ligand_a, ligand_b, phase = _ends(leg)
    values, own = _by_result(leg)
    facts = (leg["n_dummy_atoms"], leg["charge_change"], leg["ring_change"], leg["mapping_score"])
    return TransformationRow(
        key=key,
        state_a=leg["state_a"],
        state_b=leg["state_b"] or leg["state_a"],
        n_results=leg["n_results"],
        n_in_flight=n_in_flight,
        ligand_a=ligand_a,
        ligand_b=ligand_b,
        phase=phase,
        group=leg["environment"],
        protocol=leg["protocol"],
        values_kcal_mol=values,
        own_uncertainty_kcal_mol=own,
        gpu_hours=hours,
        score=leg["mapping_score"],
        features=tuple(math.nan if fact is None else abs(float(fact)) for fact in facts),
        frozen=n_failed >= plan.errors_to_freeze,
    )


def _ends(leg: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """Return the ligands between which a leg measures, and its phase; an absolute one is from nothing to its ligand."""
    measure = MEASURES.get(leg["protocol"])
    phase = leg["phase"] if leg["phase"] in _PHASES else "direct"
    if leg["ligand_j"] is None:
        return None, None, phase
    ends = [leg["ligand_i"], leg["ligand_j"]]
    if measure is not None:
        phase = measure.kind
        if measure.absolute:
            ends.sort(key=lambda ligand: not is_absent(ligand))
    first, second = (None if is_absent(ligand) else ligand for ligand in ends)
    return (first, second, phase) if second is not None else (None, first, phase)


def _by_result(leg: Mapping[str, Any]) -> tuple[tuple[float, ...], float | None]:
    """Return the mean of each result's repeats, and the root mean square of the uncertainties that results state."""
    values: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    given = leg["values_kcal_mol"] or []
    stated = leg["own_uncertainties_kcal_mol"] or [None] * len(given)
    for attempt, value, error in zip(leg["attempts"] or [], given, stated, strict=True):
        if value is not None:
            values.setdefault(attempt, []).append(value)
        if error is not None and error > 0 and math.isfinite(error):
            errors.setdefault(attempt, []).append(error)
    variances = [sum(e * e for e in own) / len(own) ** 2 for own in errors.values()]
    own_uncertainty = math.sqrt(sum(variances) / len(variances)) if variances else None
    return tuple(sum(own) / len(own) for own in values.values()), own_uncertainty


def _predicted_hours(lake: Lake, transformations: pl.Series, pools: Pools | None) -> dict[str, float]:
    """Return the expected GPU-hours of a Task, worker-hours if it needs no GPU."""
    frame = Forecast(lake, pools).frame(transformations)
    frame = frame.filter(pl.col("transformation").is_in(transformations.to_list()) & pl.col("expected_s").is_not_null())
    cost = pl.col("expected_s") / 3600.0 * pl.when(pl.col("gpus") > 0).then(pl.col("gpus")).otherwise(1.0)
    return {key: hours for key, hours in frame.select("transformation", cost).iter_rows() if hours > 0}


def _most_tasks(plan: StrategyPlan, n_in_flight: int) -> int | None:
    open_ = None if plan.max_tasks_per_network is None else max(0, plan.max_tasks_per_network - n_in_flight)
    given = [limit for limit in (plan.max_tasks_per_round, open_) if limit is not None]
    return min(given) if given else None


def _most_hours(lake: Lake, network: str, plan: StrategyPlan, pools: Pools | None, recent_hours: float) -> float | None:
    left = []
    if plan.gpu_hours_per_day is not None:
        left.append(plan.gpu_hours_per_day - recent_hours)
    if plan.scope_budget_gpu_hours is not None:
        left.append(plan.scope_budget_gpu_hours - _spent_in_scope(lake, str(ScopedKey.from_str(network).scope), pools))
    return max(0.0, min(left)) if left else None


def _spent_in_scope(lake: Lake, scope: str, pools: Pools | None) -> float:
    """Return the GPU-hours of all results computed for a Scope, and the predicted ones of its Tasks in flight."""
    cost = pl.when(pl.col("gpu_time_s") > 0).then(pl.col("gpu_time_s")).otherwise(pl.col("wall_time_s"))
    computed = (pl.col("scope") == scope) & pl.col("origin_attempt").is_null()
    rows = lake.table("results").scan().filter(computed).select(cost.sum())
    spent = float(collect(rows, "the cost of results").item() or 0.0) / 3600.0
    states = lake.task_log.states()
    live = states.with_status("waiting", "running").filter(pl.col("scope") == scope)
    live = live.join(states.live_actions().select("task").unique(), on="task", how="semi")
    hours = _predicted_hours(lake, live["transformation"].unique(), pools)
    return spent + sum(hours.get(key, 0.0) for key in live["transformation"])
