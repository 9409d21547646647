"""Dry run of dispatching: what dispatchers would claim now, and why, pool by pool, without claiming.

Deterministic for a state of the lake and a time; never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from ..plurals import part
from ..settings import Pools
from ..statestore.claims import network_weights
from ..store import Lake, NetworkState, now_utc
from ..tasks import TaskStates, choose
from ..tasks.fitness import FITS, REFUSALS, hours_in, part_in, refused_by
from ..tasks.policy import Admission, PoolView, Situation, admit, pools_before, room_of
from .policy_inputs import PolicyInputs, PolicyPicture

__all__ = ["DispatchPlan", "PoolPlan", "Unplaced", "plan_dispatch"]

#: Advice by refusal code.
_REMEDIES: Final = (
    "",
    "add it to `scopes` of the pool",
    "remove it from `exclude_scopes`",
    "add it to `protocols` of the pool",
    "remove it from `exclude_protocols`",
    "increase `gpus` of the pool's workers, or decrease those of the Protocol under `protocols`",
    "increase `cores` of the pool's workers, or decrease those of the Protocol under `protocols`",
    "increase `memory` of the pool's workers, or decrease that of the Protocol under `protocols`",
    "increase the `walltime` of the pool",
)
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Planned claims of one pool.

    Attributes
    ----------
    pool : str
        Name of the pool.
    kind : str
        Kind of the pool, such as `slurm`.
    priority : int
        The lower number goes first.
    state : str
        `open`, `closed` (a rented pool outside its thresholds or budget), or `no dispatcher`.
    heard_at : datetime or None
        Time of the last report of its dispatcher.
    running : int
        Number of running Tasks.
    limit : int or None
        Number of Tasks that it may still claim; None if limited only by its capacity.
    would_claim : int
    gpu_hours : float
        Predicted for these Tasks; worker-hours where workers have no GPU.
    n_unknown : int
        Number of these Tasks with unknown duration.
    sources : mapping
        Source of the predicted hours -> number of Tasks.
    cost, spent_today : float
    networks : mapping
        Network -> number of Tasks, of those it would claim.
    reasons : tuple of str
    """

    pool: str
    kind: str
    priority: int
    state: str
    heard_at: datetime | None
    running: int
    limit: int | None
    would_claim: int
    gpu_hours: float
    n_unknown: int
    sources: Mapping[str, int]
    cost: float
    spent_today: float
    networks: Mapping[str, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Waiting Tasks of one kind that no pool would claim now.

    Attributes
    ----------
    scope : str
        Scope of the Tasks.
    protocol : str
        Class of their Protocol.
    n_tasks : int
        Number of Tasks.
    why : mapping
        Pool -> reason.
    remedies : mapping
        Pool -> what to change; empty if a pool takes them as soon as it has capacity, or opens.
    """

    scope: str
    protocol: str
    n_tasks: int
    why: Mapping[str, str]
    remedies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DispatchPlan:
    """The plan of all pools.

    Attributes
    ----------
    pools : tuple of PoolPlan
        In the order in which they claim.
    unplaced : tuple of Unplaced
    n_claimable : int
        Number of waiting Tasks that can be claimed.
    n_not_claimable : int
        Number of waiting Tasks that are actioned on no active network, or extend an incomplete Task.
    assumed : bool
        Whether pools without a reporting dispatcher were planned as if they had one.
    """

    pools: tuple[PoolPlan, ...]
    unplaced: tuple[Unplaced, ...]
    n_claimable: int
    n_not_claimable: int
    assumed: bool


def plan_dispatch(
    lake: Lake, pools: Pools, *, all_pools: bool = False, now: datetime | None = None, seed: int = 0
) -> DispatchPlan:
    """Simulate one turn of every pool's dispatcher.

    Parameters
    ----------
    lake : Lake
    pools : Pools
    all_pools : bool
        Plan as if every pool had a dispatcher. This is the default if none has reported.
    now : datetime, optional
        Time to plan for; default: now.
    seed : int
        Seed of the draw, which decides among Tasks of equal priority and weight.
    """
    now = now or now_utc()
    inputs = PolicyInputs(lake, pools)
    inputs.refresh(now, usage=True)
    states, networks = lake.task_log.states(), lake.network_log.states()
    picture = inputs.picture(states)
    candidates = picture.candidates(states, networks)
    heard = {name for name, report in picture.reports.items() if report.is_heard(now)} & set(pools.pools)
    assumed = all_pools or not heard
    play = _Play(picture, candidates, picture.running_in(states), now, set(pools.pools) if assumed else heard)
    planned = [play.turn(name, networks, np.random.default_rng(seed)) for name in _order(pools)]
    claimable = candidates["task"].n_unique()
    return DispatchPlan(
        pools=tuple(planned),
        unplaced=tuple(_unplaced(picture, play.candidates, {plan.pool: plan for plan in planned})),
        n_claimable=claimable,
        n_not_claimable=_count_waiting(states) - claimable,
        assumed=assumed and heard != set(pools.pools),
    )


class _Play:
    """State of the simulation after the turns so far."""

    def __init__(
        self,
        picture: PolicyPicture,
        candidates: pl.DataFrame,
        running: pl.DataFrame,
        now: datetime,
        present: set[str],
    ) -> None:
        self._pools, self._picture, self._now, self._present = picture.pools, picture, now, present
        self.candidates, self._running = candidates, running

    def turn(self, name: str, networks: Mapping[str, NetworkState], rng: np.random.Generator) -> PoolPlan:
        """Simulate the claims of one pool."""
        running_before = int((self._running["pool"] == name).sum())
        if name not in self._present:
            admission = Admission(self.candidates.clear(), 0, True, (_no_dispatcher(name),))
            return self._plan(name, admission, running_before, self.candidates.clear())
        situation = self._picture.situation(self._running, self._now, heard=self._present)
        admission = admit(self._pools, name, self.candidates, self._running, situation)
        taken, why = self._draw(name, admission, situation, networks, rng)
        self._start(name, taken)
        return self._plan(name, admission, running_before, taken, why)

    def _draw(
        self,
        name: str,
        admission: Admission,
        situation: Situation,
        networks: Mapping[str, NetworkState],
        rng: np.random.Generator,
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Draw as a dispatcher does, as many Tasks as fit; return their rows."""
        workers, most = _own_room(self._pools, name, self._running, situation)
        n_candidates = len(admission.candidates)
        bounds = [bound for bound in (admission.limit, most) if bound is not None]
        drawn = choose(
            admission.candidates, network_weights(admission.candidates, networks), min([n_candidates, *bounds]), rng
        )
        rows = self.candidates.unique("task", maintain_order=True)
        rows = pl.DataFrame({"task": drawn}, schema={"task": pl.String}).join(
            rows, on="task", how="left", maintain_order="left"
        )
        taken = rows.filter(pl.col(part_in(name)).cum_sum() <= workers + _SLACK)
        admitted = admission.candidates["task"].n_unique()
        full = len(taken) < admitted and (admission.limit is None or len(taken) < admission.limit)
        return taken, (f"has capacity for {part(len(taken), admitted, 'Task')}",) if full else ()

    def _start(self, name: str, taken: pl.DataFrame) -> None:
        started = taken.with_columns(pool=pl.lit(name), attempt=pl.lit("planned:") + pl.col("task"))
        self._running = pl.concat([self._running, started.select(self._running.columns)])
        self.candidates = self.candidates.join(taken.select("task"), on="task", how="anti", maintain_order="left")

    def _plan(
        self, name: str, admission: Admission, running: int, taken: pl.DataFrame, why: tuple[str, ...] = ()
    ) -> PoolPlan:
        pool, used = self._pools.pools[name], self._picture.usage[name]
        hours = taken[hours_in(name)]
        gpu_hours = float(hours.sum())
        sources = self._picture.forecasts.select("transformation", "source").drop_nulls()
        report = self._picture.reports.get(name)
        is_present = name in self._present
        return PoolPlan(
            pool=name,
            kind=pool.kind,
            priority=pool.priority,
            state=("open" if admission.open else "closed") if is_present else "no dispatcher",
            heard_at=None if report is None else report.at,
            running=running,
            limit=admission.limit,
            would_claim=len(taken),
            gpu_hours=gpu_hours,
            n_unknown=hours.null_count(),
            sources=dict(taken.join(sources, on="transformation").group_by("source").len().sort("source").iter_rows()),
            cost=gpu_hours * pool.cost_per_gpu_hour,
            spent_today=used.cost,
            networks=dict(taken.group_by("network").len().sort("network").iter_rows()),
            reasons=(*admission.reasons, *why),
        )


def _order(pools: Pools) -> list[str]:
    return sorted(pools.pools, key=lambda name: (len(pools_before(pools, name)), name))


def _own_room(pools: Pools, name: str, running: pl.DataFrame, situation: Situation) -> tuple[float, int | None]:
    """Return the free capacity of the claiming pool, without its soft limit, which spares Tasks only it can run."""
    pool = pools.pools[name]
    without = pool.model_copy(update={"limits": pool.limits.model_copy(update={"soft": None})})
    view: PoolView = situation.of(name)
    return room_of(without, name, running, view)


def _no_dispatcher(name: str) -> str:
    return f"no dispatcher was seen within the last ten minutes; start one with `alchemiscale-lake dispatch {name}`"


def _unplaced(picture: PolicyPicture, left: pl.DataFrame, planned: Mapping[str, PoolPlan]) -> list[Unplaced]:
    pools = picture.pools
    codes = [refused_by(name) for name in pools.pools]
    protocols = picture.forecasts.select("transformation", "protocol")
    tasks = left.unique("task").join(protocols, on="transformation", how="left")
    groups = tasks.group_by("scope", "protocol", *codes).len("n").sort("scope", "protocol", *codes)
    found = []
    for scope, protocol, *of_pools, n in groups.iter_rows():
        verdicts = dict(zip(pools.pools, of_pools, strict=True))
        why = {name: REFUSALS[code] if code != FITS else _not_now(planned[name]) for name, code in verdicts.items()}
        refused = {name: code for name, code in verdicts.items() if code != FITS}
        nobody = len(refused) == len(verdicts)
        remedies = {name: _REMEDIES[code] for name, code in refused.items()} if nobody else {}
        found.append(Unplaced(scope, protocol, n, why, remedies))
    return found


def _not_now(plan: PoolPlan) -> str:
    """Return why a pool leaves Tasks that it could run."""
    if plan.state != "open":
        return "it is closed now" if plan.state == "closed" else "it has no dispatcher"
    return "it takes no more Tasks now"


def _count_waiting(states: TaskStates) -> int:
    return int((states.tasks["status"] == "waiting").sum())
