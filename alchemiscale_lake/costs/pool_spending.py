"""GPU-hours that pools have used today, and their cost.

Days are UTC. Attempts that began earlier, or are still running, count with the part within the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from ..settings import Pools
from ..statestore.task_times import TaskTimes
from ..store import Lake, collect
from ..tasks.fitness import fitness, hours_in
from ..tasks.states import TaskStates
from .forecast import Forecast

__all__ = ["PoolUsage", "day_began", "usage_today"]

_TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Use of a pool today.

    Attributes
    ----------
    ended_gpu_hours : float
        Of attempts that ended, with or without a result. Worker-hours for workers without GPU.
    running_gpu_hours : float
        Of running attempts, until now.
    cost_per_gpu_hour : float
    """

    ended_gpu_hours: float = 0.0
    running_gpu_hours: float = 0.0
    cost_per_gpu_hour: float = 0.0

    @property
    def gpu_hours(self) -> float:
        """Return the total."""
        return self.ended_gpu_hours + self.running_gpu_hours

    @property
    def cost(self) -> float:
        """Return the total cost."""
        return self.gpu_hours * self.cost_per_gpu_hour

    @property
    def ended_cost(self) -> float:
        """Return the cost of attempts that ended."""
        return self.ended_gpu_hours * self.cost_per_gpu_hour


def day_began(now: datetime) -> datetime:
    """Return when the UTC day began."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def usage_today(
    lake: Lake, pools: Pools, states: TaskStates, times: TaskTimes, forecast: Forecast, now: datetime
) -> tuple[dict[str, PoolUsage], pl.DataFrame]:
    """Return today's use by pool of the file.

    An attempt with a result counts the GPU time it recorded, or its wall time times its share of the worker. A
    released or running attempt counts from its claim: longer than it computed, since it may have waited in a queue.

    Parameters
    ----------
    lake : Lake
    pools : Pools
        The pools file.
    states : TaskStates
        States of all Tasks.
    times : TaskTimes
        Times of the states.
    forecast : Forecast
        Predicted use of running attempts.
    now : datetime
        The day that ends at this time starts at midnight UTC.

    Returns
    -------
    usage : dict
        By pool.
    running : polars.DataFrame
        Columns attempt, pool, hours: use of each running attempt today.
    """
    began = day_began(now)
    # the use of a Task of one hour is its share of a worker
    held = fitness(pools, forecast.frame().with_columns(expected_s=pl.lit(3600.0)))
    recorded = _recorded(lake, list(pools.pools), began)
    released = times.released.join(recorded, on="attempt", how="anti")
    running = states.with_status("running").select("attempt")
    running = times.claims.join(running, on="attempt", how="semi").with_columns(ended_at=pl.lit(now).cast(_TIME))
    usage, frames = {}, [pl.DataFrame(schema={"attempt": pl.String, "pool": pl.String, "hours": pl.Float64})]
    for name, pool in pools.pools.items():
        gpus = held.select("transformation", held=hours_in(name))
        ended = pl.concat([_hours(attempts, name, gpus, began) for attempts in (recorded, released)])
        frames.append(_hours(running, name, gpus, began))
        usage[name] = PoolUsage(float(ended["hours"].sum()), float(frames[-1]["hours"].sum()), pool.cost_per_gpu_hour)
    return usage, pl.concat(frames)


def _recorded(lake: Lake, pools: list[str], began: datetime) -> pl.DataFrame:
    computed = (pl.col("ended_at") >= began) & pl.col("origin_attempt").is_null()
    rows = lake.table("results").scan().filter(computed & pl.col("pool").is_in(pools))
    columns = ["attempt", "transformation", "pool", "ended_at", "wall_time_s", "gpu_time_s"]
    return collect(rows.select(*columns, claimed_at="started_at"), "usage of pools")


def _hours(attempts: pl.DataFrame, pool: str, held: pl.DataFrame, began: datetime) -> pl.DataFrame:
    """Return columns attempt, pool, hours: use of a pool's attempts since the day began."""
    here = attempts.filter(pl.col("pool") == pool).join(held, on="transformation", how="left")
    start = pl.max_horizontal("claimed_at", pl.lit(began).cast(_TIME))
    today_s = (pl.col("ended_at") - start).dt.total_seconds(fractional=True).clip(0.0)
    gpus = pl.col("held").fill_null(1.0)
    if "gpu_time_s" in here.columns:
        measured = pl.when((pl.col("gpu_time_s") > 0) & (pl.col("wall_time_s") > 0)).then(
            pl.col("gpu_time_s") / pl.col("wall_time_s")
        )
        gpus = pl.coalesce(measured, gpus)
    return here.select("attempt", "pool", hours=today_s / timedelta(hours=1).total_seconds() * gpus)
