"""Policy that decides what one pool may claim, given all pools: owned compute first, rented past thresholds, shares.

Pure rules. `fitness.py` decides which Transformations a pool can run at all, `claiming.py` draws from the admitted
Tasks, `dispatch/admission.py` applies the rules to a lake. There is no hysteresis: every turn decides from
scratch, and a pool keeps what it has claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from ..amounts import format_seconds
from ..plurals import count
from ..settings import Pool, Pools
from .fitness import FITS, REFUSALS, hours_in, part_in, refused_by
from .shares import with_turns

__all__ = ["Admission", "PoolView", "Situation", "admit", "cost_in", "pools_before", "room_of"]

_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Admission:
    """Tasks that a pool may claim now.

    Attributes
    ----------
    candidates : polars.DataFrame
        Rows of `TaskStates.claimable` that it may draw from, for `claiming.choose`; with shares, also the columns that
        determine the turns.
    limit : int or None
        Maximum number of Tasks to claim; None if unlimited.
    open : bool
        False for a rented pool below its thresholds or over budget.
    reasons : tuple of str
        Sentences that explain the limits.
    left_to : mapping
        Number of Tasks left to each other pool that has capacity for them.
    held_back : polars.Series
        Tasks that the pool could run but may not take now.
    """

    candidates: pl.DataFrame
    limit: int | None = None
    open: bool = True
    reasons: tuple[str, ...] = ()
    left_to: Mapping[str, int] = field(default_factory=dict)
    held_back: pl.Series = field(default_factory=lambda: pl.Series("task", dtype=pl.String))


@dataclass(frozen=True, slots=True)
class PoolView:
    """State of a pool other than its running Tasks.

    Attributes
    ----------
    heard : bool
        Whether one of its dispatchers reported recently; it then takes what it has capacity for.
    workers : int
        Number of workers.
    slots_free : int or None
        Free capacity it reports, in Tasks; for a local pool this is all that it can take.
    stalled_jobs : int
        Jobs that have waited in its queue for long; they do not count as capacity.
    committed_today : float
        Cost of what ended today plus the full cost of what is running.
    """

    heard: bool = True
    workers: int = 0
    slots_free: int | None = None
    stalled_jobs: int = 0
    committed_today: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """Inputs of the policy other than Tasks.

    Attributes
    ----------
    now : datetime
    views : mapping
        By pool; a pool that is missing has not reported.
    waiting_since : polars.DataFrame or None
        Columns task, since. Only needed if a pool has the threshold `oldest_waiting`.
    """

    now: datetime
    views: Mapping[str, PoolView] = field(default_factory=dict)
    waiting_since: pl.DataFrame | None = None

    def of(self, pool: str) -> PoolView:
        """Return the view of one pool."""
        return self.views.get(pool, PoolView(heard=False))


def admit(pools: Pools, name: str, candidates: pl.DataFrame, running: pl.DataFrame, situation: Situation) -> Admission:
    """Decide what a pool may claim.

    Parameters
    ----------
    pools : Pools
    name : str
        Name of the pool that asks.
    candidates : polars.DataFrame
        Rows of `TaskStates.claimable` on active networks, with the columns of `fitness`.
    running : polars.DataFrame
        One row per running Task: task, scope, pool, with the columns of `fitness`.
    situation : Situation
    """
    pool = pools.pools[name]
    tasks = candidates.unique("task", maintain_order=True)
    mine = tasks.filter(pl.col(refused_by(name)) == FITS)
    if not len(mine):
        return Admission(candidates.clear(), 0, True, (_nothing(tasks, name),))
    is_open, said = _is_open(pool, name, mine, situation)
    if not is_open:
        return Admission(candidates.clear(), 0, False, said, held_back=mine["task"])
    reasons, could_take = list(said), mine.select("task")
    left_to, left = _leave_to_others(pools, name, tasks, running, situation)
    reasons += [f"{count(n, 'Task')} left to {other}, which has capacity for that" for other, n in left_to.items()]
    mine = mine.join(left, on="task", how="anti", maintain_order="left") if len(left) else mine
    n_running = int((running["pool"] == name).sum())
    mine, limit, why = _limited(pools, name, mine, n_running, running, situation)
    reasons += why
    if pool.burst is not None and pool.burst.budget_per_day is not None:
        mine, affordable, why = _affordable(pool, name, mine, situation.of(name))
        limit = affordable if limit is None else min(limit, affordable)
        reasons += why
    admitted = candidates.filter(pl.col(refused_by(name)) == FITS)
    if len(mine) < tasks.height:
        admitted = admitted.join(mine.select("task"), on="task", how="semi", maintain_order="left")
    turns = with_turns(pools.shares, admitted, running)
    held_back = could_take.join(mine.select("task"), on="task", how="anti")
    return Admission(turns, limit, True, tuple(reasons), left_to, held_back["task"])


def pools_before(pools: Pools, name: str) -> list[str]:
    """Return the pools that precede this one: lower priority number first, then owned before rented.

    Parameters
    ----------
    pools : Pools
        The pools file.
    name : str
        Name of the pool.
    """
    rank = {n: (p.priority, p.burst is not None) for n, p in pools.pools.items()}
    return sorted((n for n in rank if rank[n] < rank[name]), key=lambda n: (rank[n], n))


def room_of(pool: Pool, name: str, running: pl.DataFrame, view: PoolView) -> tuple[float, int | None]:
    """Return the free capacity of a pool: workers (fractions count), and the maximum number of Tasks.

    The maximum number of workers minus those that its running Tasks take up and the jobs that wait in its queue. A
    local pool is one worker.

    Parameters
    ----------
    pool : Pool
        Settings of the pool.
    name : str
        Name of the pool.
    running : polars.DataFrame
        Attempts in flight anywhere, with their pool and needs.
    view : PoolView
        What the pool's dispatcher reported of it.
    """
    if not view.heard:
        return 0.0, 0
    here = running.filter(pl.col("pool") == name)
    used = float(here[part_in(name)].fill_null(1.0).sum())
    if pool.is_local:
        workers = 1.0 - used
    else:
        # claims of a job that waits in the queue are among the running ones: count it once
        workers = pool.limits.maximum - max(used, view.stalled_jobs + min(used, float(view.workers)))
    bounds = [limit - len(here) for limit in (pool.limits.hard, pool.limits.soft) if limit is not None]
    if pool.is_local and view.slots_free is not None:
        bounds.append(view.slots_free)
    return max(0.0, workers), max(0, min(bounds)) if bounds else None


def cost_in(pool: Pool, name: str) -> pl.Expr:
    """Return the cost of one Task in a pool. If its duration is unknown, assume the longest allowed.

    Parameters
    ----------
    pool : Pool
        Settings of the pool.
    name : str
        Name of the pool.
    """
    longest_s = pool.walltime_s or pool.timeout_s or 0.0
    most = longest_s / 3600.0 * max(1, pool.gpus) * pl.col(part_in(name))
    return pl.coalesce(hours_in(name), most) * pool.cost_per_gpu_hour


# --- thresholds of a rented pool ------------------------------------------------------------------


def _is_open(pool: Pool, name: str, mine: pl.DataFrame, situation: Situation) -> tuple[bool, tuple[str, ...]]:
    """Return whether a pool may claim at all, given the Tasks it may take, and the reasons."""
    burst = pool.burst
    if burst is None:
        return True, ()
    if burst.budget_per_day is not None:
        committed = situation.of(name).committed_today
        if committed >= burst.budget_per_day:
            spent = f"{committed:.2f} of budget_per_day {burst.budget_per_day:g} are spent or reserved today (UTC)"
            return False, (f"closed: {spent}",)
    passed: list[str] = []
    missed: list[str] = []
    if burst.backlog_gpu_hours is not None:
        hours, unknown = float(mine[hours_in(name)].sum()), mine[hours_in(name)].null_count()
        beside = f" ({count(unknown, 'Task')} of unknown duration excluded)" if unknown else ""
        text = f"{hours:.4g} GPU-hours waiting{beside}, backlog_gpu_hours is {burst.backlog_gpu_hours:g}"
        (passed if hours > burst.backlog_gpu_hours else missed).append(text)
    if burst.oldest_waiting_s is not None:
        age_s = _oldest_s(mine, situation)
        text = f"the oldest Task has been waiting {_span(age_s)}, oldest_waiting is {_span(burst.oldest_waiting_s)}"
        (passed if age_s > burst.oldest_waiting_s else missed).append(text)
    if missed and not passed:
        return False, tuple(f"closed: {text}" for text in missed)
    return True, tuple(f"open: {text}" for text in passed)


def _oldest_s(mine: pl.DataFrame, situation: Situation) -> float:
    if situation.waiting_since is None:
        return 0.0
    since = mine.select("task").join(situation.waiting_since, on="task")["since"].min()
    return max(0.0, (situation.now - since).total_seconds()) if isinstance(since, datetime) else 0.0


def _affordable(pool: Pool, name: str, mine: pl.DataFrame, view: PoolView) -> tuple[pl.DataFrame, int, list[str]]:
    """Keep the Tasks that fit the remaining budget, and return how many fit whichever are drawn."""
    assert pool.burst is not None
    assert pool.burst.budget_per_day is not None
    left = pool.burst.budget_per_day - view.committed_today
    costs = mine.select("task", cost=cost_in(pool, name))
    within = costs.filter(pl.col("cost") <= left + _SLACK)
    n = int((within["cost"].sort(descending=True).cum_sum() <= left + _SLACK).sum())
    reasons = []
    if len(within) < len(costs):
        reasons.append(
            f"{count(len(costs) - len(within), 'Task')} would each cost more than the {left:.2f} left of today's budget"
        )
        mine = mine.join(within, on="task", how="semi", maintain_order="left")
    if n < len(within):
        reasons.append(f"{left:.2f} left of today's budget: at most {count(n, 'Task')}")
    return mine, n, reasons


# --- others, and limits -----------------------------------------------------------------------------


def _leave_to_others(
    pools: Pools, name: str, tasks: pl.DataFrame, running: pl.DataFrame, situation: Situation
) -> tuple[dict[str, int], pl.DataFrame]:
    """Reserve Tasks for the pools that precede this one and have capacity for them."""
    left_to: dict[str, int] = {}
    left = tasks.select("task").clear()
    for other in pools_before(pools, name):
        open_to = tasks.filter(pl.col(refused_by(other)) == FITS)
        if not len(open_to) or not _takes(pools, other, open_to, situation):
            continue
        rival, view = pools.pools[other], situation.of(other)
        workers, most = room_of(rival, other, running, view)
        if rival.burst is not None and rival.burst.budget_per_day is not None:
            open_to, affordable, _ = _affordable(rival, other, open_to, view)
            most = affordable if most is None else min(most, affordable)
        if workers <= _SLACK or most == 0:
            continue
        if len(left):
            open_to = open_to.join(left, on="task", how="anti", maintain_order="left")
        # first what only the other pool can run; then what this pool would draw last
        order = open_to.select("task", "priority", part_in(other), here=pl.col(refused_by(name)) == FITS)
        order = order.sort("here", "priority", "task", descending=[False, True, False])
        fits = order.filter(pl.col(part_in(other)).cum_sum() <= workers + _SLACK)
        fits = fits if most is None else fits.head(most)
        shared = int(fits["here"].sum())
        if shared:
            left_to[other] = shared
        left = pl.concat([left, fits.select("task")])
    return left_to, left


def _takes(pools: Pools, other: str, open_to: pl.DataFrame, situation: Situation) -> bool:
    return situation.of(other).heard and _is_open(pools.pools[other], other, open_to, situation)[0]


def _limited(
    pools: Pools, name: str, mine: pl.DataFrame, n_running: int, running: pl.DataFrame, situation: Situation
) -> tuple[pl.DataFrame, int | None, list[str]]:
    """Apply the hard and soft limits on Tasks in flight."""
    limits = pools.pools[name].limits
    limit: int | None = None
    reasons: list[str] = []
    if limits.hard is not None:
        limit = max(0, limits.hard - n_running)
        if limit < len(mine):
            reasons.append(f"limits.hard is {limits.hard}, {count(n_running, 'Task')} in flight: at most {limit} more")
    if limits.soft is not None and len(mine):
        shared = pl.lit(value=False)
        for other in pools.pools:
            if other != name and _takes(pools, other, mine.filter(pl.col(refused_by(other)) == FITS), situation):
                shared |= pl.col(refused_by(other)) == FITS
        own = mine.filter(~shared)
        if len(own) < len(mine):
            room = max(0, limits.soft - n_running)
            said = f"limits.soft is {limits.soft}, {count(n_running, 'Task')} in flight"
            if room:
                limit = room if limit is None else min(limit, room)
            else:
                mine = own
            if not room or room < len(own):
                reasons.append(
                    f"{said}: {'only Tasks that no other pool takes' if not room else f'at most {room} more'}"
                )
    return mine, limit, reasons


def _nothing(tasks: pl.DataFrame, name: str) -> str:
    if not len(tasks):
        return "no Task is waiting"
    code = tasks[refused_by(name)].mode().sort()[0]
    return f"takes none of {count(len(tasks), 'Task')} that can be claimed; for most, {REFUSALS[code]}"


def _span(seconds: float) -> str:
    """Format a duration, rounded to the minute."""
    return format_seconds(float(round(seconds) if seconds < 60 else 60 * round(seconds / 60)))
