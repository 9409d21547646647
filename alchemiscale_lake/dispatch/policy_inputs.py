"""Policy inputs read from a lake: forecasts, spending, ages, reports of pools.

`PolicyInputs` reads them every quarter of a minute, so that a claim, which uses them repeatedly, waits for no storage;
`PolicyPicture` is what it read, immutable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from ..costs.forecast import Forecast
from ..costs.pool_spending import PoolUsage, day_began, usage_today
from ..settings import Pools
from ..statestore.network_state import on_active_networks
from ..statestore.task_times import TaskTimes
from ..store import Lake, NetworkState
from ..tasks.fitness import fitness
from ..tasks.policy import PoolView, Situation, cost_in
from ..tasks.states import TaskStates
from .pool_reports import PoolReport, pool_reports

__all__ = ["PolicyInputs", "PolicyPicture"]

_REFRESH: Final = timedelta(seconds=15)
_NOTHING_USED: Final = {"attempt": pl.String, "pool": pl.String, "hours": pl.Float64}


@dataclass(frozen=True, slots=True)
class PolicyPicture:
    """Tasks and pools of a lake at one moment.

    Attributes
    ----------
    pools : Pools
    at : datetime
        When the lake was read.
    fit : polars.DataFrame
        Output of `fitness` for every Transformation.
    forecasts : polars.DataFrame
        Needs of every Transformation: columns of `Forecast.frame`.
    reports : mapping
        Last report of every pool that ever wrote one.
    usage : mapping
        What pools have used today; empty unless a pool has a budget, or `PolicyInputs.refresh` was asked for it.
    used : polars.DataFrame
        Columns attempt, pool, hours: what running attempts have used today.
    running : polars.DataFrame
        Running Tasks when the lake was read, with the columns of `fitness`.
    waiting_since : polars.DataFrame or None
        Columns task, since; None unless a pool has the threshold `oldest_waiting`.
    """

    pools: Pools
    at: datetime
    fit: pl.DataFrame
    forecasts: pl.DataFrame
    reports: Mapping[str, PoolReport]
    usage: Mapping[str, PoolUsage]
    used: pl.DataFrame
    running: pl.DataFrame
    waiting_since: pl.DataFrame | None

    def candidates(self, states: TaskStates, networks: Mapping[str, NetworkState]) -> pl.DataFrame:
        """Return claimable actions on active networks, with the columns of `fitness`.

        Parameters
        ----------
        states : TaskStates
            States of all Tasks.
        networks : mapping of str to NetworkState
            By ScopedKey; a network that is not listed is active with the default weight.
        """
        claimable = on_active_networks(states.claimable(), networks)
        return claimable.join(self.fit, on="transformation", how="inner", maintain_order="left")

    def running_in(self, states: TaskStates) -> pl.DataFrame:
        """Return running Tasks with the columns of `fitness`."""
        return _running(states, self.fit)

    def situation(self, running: pl.DataFrame, now: datetime, heard: Collection[str] = ()) -> Situation:
        """Return the inputs of the policy other than Tasks.

        Parameters
        ----------
        running : polars.DataFrame
            From `running_in`.
        now : datetime
        heard : collection of str
            Pools that count as reporting without a report.
        """
        views = {}
        for name in self.pools.pools:
            report = self.reports.get(name)
            recent = report is not None and report.is_heard(now)
            views[name] = PoolView(
                heard=recent or name in heard,
                workers=report.workers if report is not None and recent else 0,
                slots_free=report.slots_free if report is not None and recent else None,
                stalled_jobs=report.stalled_jobs if report is not None and recent else 0,
                committed_today=self._committed(name, running),
            )
        return Situation(now, views, self.waiting_since)

    def _committed(self, name: str, running: pl.DataFrame) -> float:
        """Return the cost of what ended today and of what runs: as predicted, or as used if that is already more."""
        pool = self.pools.pools[name]
        if pool.burst is None or pool.burst.budget_per_day is None:
            return 0.0
        # an attempt that ended since the last read is in no sum yet, and must not appear free
        attempts = pl.concat([running, self.running]).unique("attempt").filter(pl.col("pool") == name)
        used = self.used.select("attempt", used=pl.col("hours") * pool.cost_per_gpu_hour)
        costs = attempts.select("attempt", cost=cost_in(pool, name)).join(used, on="attempt", how="left")
        total = costs.select(pl.max_horizontal("cost", "used").sum()).item()
        return self.usage[name].ended_cost + float(total or 0.0)


class PolicyInputs:
    """Reader of `PolicyPicture`. Not thread-safe.

    Parameters
    ----------
    lake : Lake
    pools : Pools
    forecast : Forecast, optional
        An existing forecast to share.
    """

    def __init__(self, lake: Lake, pools: Pools, forecast: Forecast | None = None) -> None:
        self._lake, self._pools = lake, pools
        self._forecast = forecast or Forecast(lake, pools)
        self._times = TaskTimes(lake)
        self._last: PolicyPicture | None = None

    def refresh(self, now: datetime, *, usage: bool = False) -> None:
        """Read forecasts, reports of pools, and, where a threshold needs them, spending and ages.

        Does nothing if called within 15 s of the last read; call it before every claim.

        Parameters
        ----------
        now : datetime
        usage : bool
            Compute what pools have used although no pool has a budget.
        """
        if self._last is not None and timedelta(0) <= now - self._last.at < _REFRESH:
            return
        states = self._lake.task_log.states()
        bursts = [pool.burst for pool in self._pools.pools.values() if pool.burst is not None]
        spending = usage or any(burst.budget_per_day is not None for burst in bursts)
        ages = any(burst.oldest_waiting_s is not None for burst in bursts)
        if spending or ages:
            self._times.refresh(forget_before=day_began(now))
        used, hours = (
            usage_today(self._lake, self._pools, states, self._times, self._forecast, now)
            if spending
            else ({}, pl.DataFrame(schema=_NOTHING_USED))
        )
        forecasts = self._forecast.frame()
        fit = fitness(self._pools, forecasts)
        self._last = PolicyPicture(
            pools=self._pools,
            at=now,
            fit=fit,
            forecasts=forecasts,
            reports=pool_reports(self._lake),
            usage=used,
            used=hours,
            running=_running(states, fit),
            waiting_since=self._times.waiting_since if ages else None,
        )

    def picture(self, states: TaskStates) -> PolicyPicture:
        """Return what the last `refresh` read; Transformations of waiting Tasks that are newer are looked up.

        Parameters
        ----------
        states : TaskStates
            States of all Tasks.
        """
        if self._last is None:
            raise RuntimeError("call refresh() first")
        waiting = states.with_status("waiting").select("transformation")
        unknown = waiting.join(self._last.fit, on="transformation", how="anti")
        if len(unknown):
            forecasts = self._forecast.frame(unknown["transformation"])
            fit = fitness(self._pools, forecasts)
            self._last = replace(self._last, fit=fit, forecasts=forecasts)
        return self._last


def _running(states: TaskStates, fit: pl.DataFrame) -> pl.DataFrame:
    running = states.with_status("running")
    return running.select("task", "scope", "transformation", "pool", "attempt").join(
        fit, on="transformation", how="left"
    )
