"""Policy inputs read from a lake: forecasts, spending, ages, reports of pools.

Read every quarter of a minute, so that a claim, which uses them repeatedly, waits for no storage.
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
from ..tasks.fitness import fitness, refused_by
from ..tasks.policy import PoolView, Situation, cost_in
from ..tasks.states import TaskStates
from .pool_reports import PoolReport, pool_reports

__all__ = ["PolicyInputs"]

_REFRESH: Final = timedelta(seconds=15)
_NOTHING_USED: Final = {"attempt": pl.String, "pool": pl.String, "hours": pl.Float64}


@dataclass(frozen=True, slots=True)
class _Read:
    """Inputs as of one moment."""

    at: datetime
    fit: pl.DataFrame
    reports: Mapping[str, PoolReport]
    usage: Mapping[str, PoolUsage]
    used: pl.DataFrame
    running: pl.DataFrame
    waiting_since: pl.DataFrame | None


class PolicyInputs:
    """Current knowledge of a lake's Tasks and pools. Not thread-safe.

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
        self._last: _Read | None = None

    @property
    def reports(self) -> Mapping[str, PoolReport]:
        """Return the last report of every pool that ever wrote one."""
        return {} if self._last is None else self._last.reports

    @property
    def usage(self) -> Mapping[str, PoolUsage]:
        """Return what pools have used today; empty unless a pool has a budget, or `refresh` was asked for it."""
        return {} if self._last is None else self._last.usage

    def refresh(self, now: datetime, *, usage: bool = False) -> None:
        """Reload everything if the last read is old enough.

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
        fit = fitness(self._pools, self._forecast.frame())
        running = _running(states, fit)
        waiting = self._times.waiting_since if ages else None
        self._last = _Read(now, fit, pool_reports(self._lake), used, hours, running, waiting)

    def candidates(self, states: TaskStates, networks: Mapping[str, NetworkState]) -> pl.DataFrame:
        """Return claimable actions on active networks, with the columns of `fitness`.

        Transformations newer than the last `refresh` are looked up.

        Parameters
        ----------
        states : TaskStates
            States of all Tasks.
        networks : mapping of str to NetworkState
            By ScopedKey; a network that is not listed is active with the default weight.
        """
        read = self._read()
        claimable = on_active_networks(states.claimable(), networks)
        judged = claimable.join(read.fit, on="transformation", how="left")
        verdict = refused_by(next(iter(self._pools.pools)))
        if judged[verdict].null_count():
            fit = fitness(self._pools, self._forecast.frame(claimable["transformation"]))
            self._last = replace(read, fit=fit)
            judged = claimable.join(fit, on="transformation", how="inner")
        return judged

    def running(self, states: TaskStates) -> pl.DataFrame:
        """Return running Tasks with the columns of `fitness`."""
        return _running(states, self._read().fit)

    def protocols(self) -> pl.DataFrame:
        """Return columns transformation, protocol: the class of Protocol of every Transformation."""
        return self._forecast.frame().select("transformation", "protocol")

    def sources(self) -> pl.DataFrame:
        """Return columns transformation, source: the source of every Transformation's hours, null if unknown."""
        return self._forecast.frame().select("transformation", "source")

    def situation(self, running: pl.DataFrame, now: datetime, heard: Collection[str] = ()) -> Situation:
        """Return the inputs other than Tasks.

        Parameters
        ----------
        running : polars.DataFrame
            From `running`.
        now : datetime
        heard : collection of str
            Pools that count as reporting without a report.
        """
        read = self._read()
        views = {}
        for name in self._pools.pools:
            report = read.reports.get(name)
            recent = report is not None and report.is_heard(now)
            views[name] = PoolView(
                heard=recent or name in heard,
                workers=report.workers if report is not None and recent else 0,
                slots_free=report.slots_free if report is not None and recent else None,
                stalled_jobs=report.stalled_jobs if report is not None and recent else 0,
                committed_today=self._committed(name, running, read),
            )
        return Situation(now, views, read.waiting_since)

    def _read(self) -> _Read:
        if self._last is None:
            raise RuntimeError("call refresh() first")
        return self._last

    def _committed(self, name: str, running: pl.DataFrame, read: _Read) -> float:
        """Return the cost of what ended today and of what runs: as predicted, or as used if that is already more."""
        pool = self._pools.pools[name]
        if pool.burst is None or pool.burst.budget_per_day is None:
            return 0.0
        # an attempt that ended since the last read is in no sum yet, and must not appear free
        attempts = pl.concat([running, read.running]).unique("attempt").filter(pl.col("pool") == name)
        used = read.used.select("attempt", used=pl.col("hours") * pool.cost_per_gpu_hour)
        costs = attempts.select("attempt", cost=cost_in(pool, name)).join(used, on="attempt", how="left")
        total = costs.select(pl.max_horizontal("cost", "used").sum()).item()
        return read.usage[name].ended_cost + float(total or 0.0)


def _running(states: TaskStates, fit: pl.DataFrame) -> pl.DataFrame:
    running = states.with_status("running")
    return running.select("task", "scope", "transformation", "pool", "attempt").join(
        fit, on="transformation", how="left"
    )
