"""Remaining work of a network: wanted results minus completed, running and waiting ones.

For a network in the lake and for one that is not submitted yet. `pricing` computes its cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ..ids import Scope, ScopedKey
from ..networks import Network
from ..networks.facts import transformation_rows
from ..schemas import TABLES
from ..statestore.calculations import KnownCalculations, network_calculations
from ..statestore.network_members import network_transformations
from ..statestore.network_state import on_active_networks
from ..statestore.task_times import TaskTimes
from ..store import Lake, collect
from ..tasks import TaskStates
from .cost_history import with_targets
from .solute_diameters import with_diameters, with_stored_diameters

__all__ = ["Remaining", "remaining_of_file", "remaining_of_network"]


@dataclass(frozen=True, slots=True)
class Remaining:
    """Remaining work of a network.

    Attributes
    ----------
    scope : str
    network : str or None
        ScopedKey; None for a network that is not in the lake.
    name : str or None
    rows : polars.DataFrame
        One row per Transformation, sorted by name: the columns of `transformations`, those added by `with_targets` and
        `with_diameters`, and n_results (that count), n_running, n_waiting (can be claimed eventually), n_idle
        (waiting, but not actioned), n_new (to be created).
    running : polars.DataFrame
        Running Tasks: transformation, pool, elapsed_h (since the claim).
    n_others : int
        Number of waiting Tasks of other networks.
    """

    scope: str
    network: str | None
    name: str | None
    rows: pl.DataFrame
    running: pl.DataFrame
    n_others: int

    @property
    def n_started(self) -> int:
        """Tasks that wait for a claim, or run."""
        return int(self.rows.select(n=pl.sum_horizontal("n_running", "n_waiting")).sum().item())

    @property
    def n_tasks(self) -> list[int]:
        """Return the number of Tasks left for each Transformation."""
        left = self.rows.select(n=pl.sum_horizontal("n_running", "n_waiting", "n_idle", "n_new"))
        return [int(n) for n in left["n"]]


def remaining_of_file(
    lake: Lake, network: Network, scope: Scope | str, *, tasks_per_transformation: int, now: datetime
) -> Remaining:
    """Return what is left to compute of a network once it is submitted to a Scope. Nothing is written.

    Tasks of the same Transformations that wait or run in the Scope already are part of it.

    Parameters
    ----------
    lake : Lake
    network : Network
    scope : Scope or str
        Specific, without wildcards.
    tasks_per_transformation : int
        Wanted Tasks per Transformation.
    now : datetime
    """
    scope = Scope.parse(scope).require_specific()
    rows = pl.DataFrame(TABLES["transformations"].table(transformation_rows(network, scope, now)))
    rows = with_diameters(rows, network)
    # Transformations that the Scope knows under other keys are not computed again
    stored = KnownCalculations.of(lake, scope).assign(network_calculations(network, scope))
    rows = rows.with_columns(pl.col("transformation").replace(stored))
    return _left(lake, str(scope), None, network.name, rows, tasks_per_transformation, now)


def remaining_of_network(
    lake: Lake, network: str, *, tasks_per_transformation: int | None = None, now: datetime
) -> Remaining:
    """Return what is left to compute of a network in the lake.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    tasks_per_transformation : int, optional
        Wanted Tasks per Transformation; default: its existing Tasks.
    now : datetime

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    scope = str(ScopedKey.from_str(network).scope)
    members = network_transformations(lake, network)
    here = lake.table("transformations").scan().filter(pl.col("scope") == scope)
    rows = collect(here.filter(pl.col("transformation").is_in(members)), "Transformations")
    names = lake.table("networks").scan().filter((pl.col("scope") == scope) & (pl.col("network") == network))
    name = collect(names.select("name"), "networks").item()
    return _left(lake, scope, network, name, with_stored_diameters(rows, lake), tasks_per_transformation or 0, now)


def _left(
    lake: Lake,
    scope: str,
    network: str | None,
    name: str | None,
    rows: pl.DataFrame,
    n_tasks: int,
    now: datetime,
) -> Remaining:
    states, networks = lake.task_log.states(), lake.network_log.states()
    mine = states.tasks.join(rows.select("transformation"), on="transformation", how="semi")
    good = _good_results(lake, scope, rows["transformation"], states)
    open_tasks = mine.join(good.select("task"), on="task", how="anti")
    actions = states.actions.filter(pl.col("weight") > 0).select("task", "network", "weight")
    wanted = on_active_networks(actions, networks).select("task").unique()
    waiting = open_tasks.filter(pl.col("status") == "waiting")
    running = open_tasks.filter(pl.col("status") == "running")
    counts = {
        "n_results": good,
        "n_running": running,
        "n_waiting": waiting.join(wanted, on="task", how="semi"),
        "n_idle": waiting.join(wanted, on="task", how="anti"),
    }
    for column, tasks in counts.items():
        rows = rows.join(tasks.group_by("transformation").len(column), on="transformation", how="left")
    rows = rows.with_columns(pl.col(list(counts)).fill_null(0).cast(pl.Int64))
    rows = rows.with_columns(n_new=(n_tasks - pl.sum_horizontal(list(counts))).clip(0))
    others = states.with_status("waiting").join(wanted, on="task", how="semi")
    return Remaining(
        scope=scope,
        network=network,
        name=name,
        rows=with_targets(rows).sort("name", "transformation"),
        running=_elapsed(lake, running, now),
        n_others=len(others.join(rows.select("transformation"), on="transformation", how="anti")),
    )


def _good_results(lake: Lake, scope: str, transformations: Iterable[str], states: TaskStates) -> pl.DataFrame:
    """Return columns task, transformation: one row per Task with a result that counts."""
    struck = states.tasks.filter(pl.col("status").is_in(["invalid", "deleted"])).select("task")
    good = lake.table("results").scan().filter((pl.col("scope") == scope) & pl.col("ok"))
    good = good.filter(pl.col("transformation").is_in(list(transformations))).select("task", "transformation")
    return collect(good, "results").unique("task").join(struck, on="task", how="anti")


def _elapsed(lake: Lake, running: pl.DataFrame, now: datetime) -> pl.DataFrame:
    times = TaskTimes(lake)
    if len(running):
        times.refresh()
    claims = times.claims.select("attempt", "claimed_at")
    since = (pl.lit(now) - pl.col("claimed_at")).dt.total_seconds(fractional=True) / 3600.0
    rows = running.select("transformation", "pool", "attempt").join(claims, on="attempt", how="left")
    return rows.select("transformation", "pool", elapsed_h=since.fill_null(0.0).clip(0.0))
