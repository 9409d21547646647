"""Cost of the remaining work of a network: GPU-hours, wall time and money, per Transformation, pool and in total.

Many scenarios are drawn, each with a duration for every Task. Errors shared between Transformations (of a model, or
for a GPU model without results) are drawn once per scenario. Sums and schedules of the scenarios give medians and
intervals. `remaining_work` determines the work, `cost_predictions` the cost of one result, `finishing` the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import SettingsError
from ..estimators.cost.gpu_speed import speed_of
from ..settings import Pools
from ..store import Lake
from ..tasks.default_needs import needs_of
from ..tasks.fitness import FITS, NEEDS_SCHEMA, REFUSALS, fitness, hours_in, part_in, refused_by
from .cost_history import cost_history, usual_gpus
from .cost_models import KnownModel, model_at_hand, require_known_gpu
from .cost_predictions import Ahead, Basis, own_results
from .cost_rows import UNKNOWN_GPU
from .finish_times import Crew, finish
from .remaining_work import Remaining
from .scenarios import Hours, Worlds

__all__ = ["Amount", "PoolPrice", "Price", "TransformationPrice", "price"]

_CONFIDENCE: Final = 0.9
#: Name of the row for all pools together.
TOGETHER: Final = "all together"


@dataclass(frozen=True, slots=True)
class Amount:
    """An uncertain quantity.

    Attributes
    ----------
    median : float
    low, high : float
        Limits of the 90 % interval.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, worlds: Hours) -> Amount:
        """Summarise the values of many scenarios."""
        low, median, high = np.quantile(worlds, [0.5 - _CONFIDENCE / 2.0, 0.5, 0.5 + _CONFIDENCE / 2.0])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True, slots=True)
class TransformationPrice:
    """Remaining work of one Transformation.

    Attributes
    ----------
    transformation : str
        ScopedKey.
    name : str
        Name of the Transformation.
    phase : str
        Such as `complex`, `solvent` or `vacuum`.
    protocol : str
        Class of the Protocol.
    n_results, n_running, n_waiting, n_idle, n_new : int
        As in `remaining.Remaining`.
    gpus : float
        GPUs per Task.
    each : Amount
        GPU-hours of one more result; worker-hours if it uses no GPU.
    total : Amount
        Of all its remaining work.
    basis : str
        Basis of the prediction: its own results, a trained model, or physics.
    extrapolates : str
        Why no similar one was seen; empty if one was.
    """

    transformation: str
    name: str
    phase: str
    protocol: str
    n_results: int
    n_running: int
    n_waiting: int
    n_idle: int
    n_new: int
    gpus: float
    each: Amount
    total: Amount
    basis: Basis
    extrapolates: str


@dataclass(frozen=True, slots=True)
class PoolPrice:
    """Cost in one pool, or in all pools together.

    Attributes
    ----------
    pool : str
    gpu_model : str or None
        GPU model assumed; None if unknown, mixed or unused.
    slots : int
        Tasks that run there concurrently.
    n_tasks : int
        Number of Tasks it would compute.
    refused : mapping of str to int
        Number of Tasks that it cannot run, by reason.
    gpu_hours, wall_h, cost : Amount or None
        None for the wall time if it cannot run all of them.
    done_at : datetime or None
    """

    pool: str
    gpu_model: str | None
    slots: int
    n_tasks: int
    refused: Mapping[str, int]
    gpu_hours: Amount
    wall_h: Amount | None
    cost: Amount

    def done_at(self, now: datetime) -> tuple[datetime, datetime, datetime] | None:
        """Return when it would be done: median, earliest, latest."""
        wall = self.wall_h
        if wall is None:
            return None
        median, low, high = (now + timedelta(hours=hours) for hours in (wall.median, wall.low, wall.high))
        return median, low, high


@dataclass(frozen=True, slots=True)
class Price:
    """Cost of all remaining work.

    Attributes
    ----------
    at : datetime
    remaining : Remaining
    gpu_hours : Amount
        Of all remaining work, on the GPU models it would probably run on.
    transformations : tuple of TransformationPrice
    pools : tuple of PoolPrice
        In the order of the file; all together last, if there are several.
    known : KnownModel
        The cost model.
    gpus_without_speed : tuple of str
        GPU models in the prediction with neither a published speed nor a result; empty string if the model is unknown.
    """

    at: datetime
    remaining: Remaining
    gpu_hours: Amount
    transformations: tuple[TransformationPrice, ...]
    pools: tuple[PoolPrice, ...]
    known: KnownModel
    gpus_without_speed: tuple[str, ...] = ()


def price(
    lake: Lake,
    remaining: Remaining,
    pools: Pools | None,
    *,
    pool: str | None = None,
    gpu: str | None = None,
    now: datetime,
    seed: int = 0,
) -> Price:
    """Estimate the cost of the remaining work of a network.

    Parameters
    ----------
    lake : Lake
    remaining : Remaining
    pools : Pools or None
        Without them, wall time and money are not computed.
    pool : str, optional
        Only this pool.
    gpu : str, optional
        GPU model to assume, as named by `nvidia-smi`, instead of those observed in the pools.
    now : datetime
    seed : int
        Seed of the draws.

    Raises
    ------
    SettingsError
        If the file has no such pool, or the given GPU model is unknown.
    """
    if pool is not None:
        if pools is None:
            raise SettingsError(f"there is no pool {pool!r}: give a pools file with --pools", pool=pool)
        pools.named(pool)
    evidence = cost_history(lake)
    known, history = model_at_hand(lake, evidence), evidence.rows
    if gpu is not None:
        require_known_gpu(gpu, known, history)
    names = [] if pools is None else [pool] if pool is not None else list(pools.pools)
    rows = _with_needs(remaining.rows, pools)
    gpus = _Gpus(history, gpu)
    models = gpus.of_rows(rows, [None, *names])
    worlds = Worlds(known, own_results(history), rows, models, remaining, seed=seed)
    return Price(
        at=now,
        remaining=remaining,
        gpu_hours=Amount.of(worlds.gpu_hours(None)),
        transformations=tuple(_transformations(worlds, rows)),
        pools=tuple(_pools(worlds, rows, pools, models)) if pools is not None else (),
        known=known,
        gpus_without_speed=_without_speed(known, rows, models),
    )


def _without_speed(
    known: KnownModel, rows: pl.DataFrame, models: Mapping[str | None, Sequence[str | None]]
) -> tuple[str, ...]:
    """Return the GPU models, of Tasks that use one, with unknown speed."""
    held = [gpus > 0 for gpus in rows["gpus"]]
    names = {model or "" for of_pool in models.values() for model in compress(of_pool, held)}
    return tuple(sorted(n for n in names if speed_of(n) is None and (n or UNKNOWN_GPU) not in known.card.gpu_models))


class _Gpus:
    """GPU model of Tasks: as given, else as observed in the pool, for the Protocol, or anywhere."""

    def __init__(self, history: pl.DataFrame, told: str | None) -> None:
        self._told = told
        self._of_pool, self._of_protocol = usual_gpus(history, "pool"), usual_gpus(history, "protocol_qualname")
        everywhere = usual_gpus(history.with_columns(anywhere=pl.lit("")), "anywhere")
        self._anywhere = everywhere.get("")

    def of_rows(self, rows: pl.DataFrame, pools: Sequence[str | None]) -> dict[str | None, list[str | None]]:
        """Return GPU models by pool; None is no specific pool. Tasks without GPU have none."""
        protocols = [(q, gpus > 0) for q, gpus in rows.select("protocol_qualname", "gpus").iter_rows()]
        return {pool: [self._of(q, pool) if on_gpu else None for q, on_gpu in protocols] for pool in pools}

    def _of(self, protocol: str, pool: str | None) -> str | None:
        seen_there = None if pool is None else self._of_pool.get(pool)
        return self._told or seen_there or self._of_protocol.get(protocol, self._anywhere)


def _with_needs(rows: pl.DataFrame, pools: Pools | None) -> pl.DataFrame:
    """Add the needs of one Task of each: cores, memory_bytes, gpus."""
    needs = [(q, needs_of(pools, q)) for q in rows["protocol_qualname"].unique().sort()]
    table = [(q, n.cores, n.memory_bytes, n.gpus) for q, n in needs]
    schema = {"protocol_qualname": pl.String, "cores": pl.Int64, "memory_bytes": pl.Int64, "gpus": pl.Float64}
    return rows.join(
        pl.DataFrame(table, schema=schema, orient="row"), on="protocol_qualname", how="left", maintain_order="left"
    )


def _transformations(worlds: Worlds, rows: pl.DataFrame) -> list[TransformationPrice]:
    ahead = worlds.ahead(None)
    totals = worlds.by_transformation()
    columns = ("transformation", "name", "phase", "n_results", "n_running", "n_waiting", "n_idle", "n_new", "gpus")
    return [
        TransformationPrice(
            **row,
            each=Amount(float(ahead.median[i]), float(ahead.low[i]), float(ahead.high[i])),
            total=Amount.of(totals[:, i]),
            basis=ahead.basis[i],
            extrapolates=ahead.why[i] if ahead.extrapolates[i] else "",
        )
        for i, row in enumerate(rows.select(*columns, protocol="protocol_qualname").iter_rows(named=True))
    ]


# --- pools ----------------------------------------------------------------------------------------


def _pools(
    worlds: Worlds,
    rows: pl.DataFrame,
    pools: Pools,
    models: Mapping[str | None, Sequence[str | None]],
) -> list[PoolPrice]:
    crews = {name: _Seen(worlds, rows, pools, name) for name in models if name is not None}
    found = [
        _alone(name, crew, _one_of(models[name]) if pools.pools[name].gpus else None) for name, crew in crews.items()
    ]
    if len(crews) > 1:
        found.append(_together(crews, worlds))
    return found


def _one_of(models: Sequence[str | None]) -> str | None:
    """Return the only model, None if there are several."""
    known = {model for model in models if model is not None}
    return known.pop() if len(known) == 1 else None


class _Seen:
    """The Tasks from the perspective of one pool."""

    def __init__(self, worlds: Worlds, rows: pl.DataFrame, pools: Pools, name: str) -> None:
        pool = pools.pools[name]
        ahead = worlds.ahead(name)
        gpus = rows["gpus"].to_numpy()
        held = np.where(gpus > 0, gpus, 1.0)
        fit = fitness(pools, _needs(rows, ahead, held))
        self._of_task = worlds.of_task
        verdicts = fit[refused_by(name)].to_numpy()[self._of_task]
        self.takes: NDArray[np.bool_] = verdicts == FITS
        codes, counts = np.unique(verdicts[~self.takes], return_counts=True)
        self.refused = {REFUSALS[code]: int(n) for code, n in zip(codes, counts, strict=True)}
        # per hour of a Task: GPU-hours (worker-hours without GPU), and money for its share of a worker
        self._rates = np.stack([held, fit[hours_in(name)].to_numpy() * pool.cost_per_gpu_hour], axis=1)
        part = fit[part_in(name)].to_numpy()[self._of_task][self.takes]
        workers = 1 if pool.is_local else pool.limits.maximum
        slots = int(workers / part.mean() + 1e-9) if len(part) else workers
        self.slots = slots if pool.limits.hard is None else min(slots, pool.limits.hard)
        self._hours = worlds.tasks(name) / held[self._of_task]
        runs, self._busy_of = worlds.running(name, pool=name)
        self._busy = runs / held[self._busy_of]

    @property
    def crew(self) -> Crew:
        """Return the crew for all Tasks of the list; those it cannot run never end there."""
        hours = np.where(self.takes, self._hours, np.inf)
        return Crew(self.slots, hours, self._busy, self._rates[self._of_task])

    @property
    def crew_alone(self) -> Crew:
        """Return the crew for only those Tasks that it can run."""
        return Crew(self.slots, self._hours[:, self.takes], self._busy, self._rates[self._of_task][self.takes])

    @property
    def used_by_running(self) -> Hours:
        """Return the remaining consumption of Tasks that run there."""
        used: Hours = self._busy @ self._rates[self._busy_of]
        return used

    @property
    def n_running(self) -> int:
        return int(self._busy.shape[1])


def _alone(name: str, seen: _Seen, gpu_model: str | None) -> PoolPrice:
    done = finish({name: seen.crew_alone})
    used = done.used[name] + seen.used_by_running
    return PoolPrice(
        pool=name,
        gpu_model=gpu_model,
        slots=seen.slots,
        n_tasks=int(seen.takes.sum()) + seen.n_running,
        refused=seen.refused,
        gpu_hours=Amount.of(used[:, 0]),
        wall_h=Amount.of(done.wall_h) if np.isfinite(done.wall_h).all() and not seen.refused else None,
        cost=Amount.of(used[:, 1]),
    )


def _together(crews: Mapping[str, _Seen], worlds: Worlds) -> PoolPrice:
    nobody = ~np.any([seen.takes for seen in crews.values()], axis=0)
    anybody = np.flatnonzero(~nobody)
    joint = {name: _only(seen.crew, anybody) for name, seen in crews.items()}
    done = finish(joint)
    used = np.sum([done.used[name] + crews[name].used_by_running for name in crews], axis=0)
    elsewhere, _ = worlds.running(None, pool=None, but=list(crews))
    wall = np.maximum(done.wall_h, elsewhere.max(axis=1) if elsewhere.shape[1] else 0.0)
    return PoolPrice(
        pool=TOGETHER,
        gpu_model=None,
        slots=sum(seen.slots for seen in crews.values()),
        n_tasks=len(anybody) + sum(seen.n_running for seen in crews.values()),
        refused={"no pool can take it": int(nobody.sum())} if nobody.any() else {},
        gpu_hours=Amount.of(used[:, 0]),
        wall_h=Amount.of(wall) if np.isfinite(wall).all() and not nobody.any() else None,
        cost=Amount.of(used[:, 1]),
    )


def _only(crew: Crew, tasks: NDArray[np.intp]) -> Crew:
    return Crew(crew.slots, crew.hours[:, tasks], crew.busy, crew.rates[tasks])


def _needs(rows: pl.DataFrame, ahead: Ahead, held: NDArray[np.float64]) -> pl.DataFrame:
    """Return the needs of one Task of each; one hour is expected, so that hours give the consumption per hour."""
    # physics, and models without similar training data, exclude no Task from a worker
    sure = np.array([basis != "physical prior" for basis in ahead.basis], dtype=bool) & ~ahead.extrapolates
    upper_s = np.where(sure, ahead.high / held * 3600.0, np.nan)
    frame = rows.select("transformation", "scope", "cores", "memory_bytes", "gpus", protocol="protocol_qualname")
    frame = frame.with_columns(pl.Series("duration_s", upper_s).fill_nan(None), expected_s=pl.lit(3600.0))
    return frame.select(*NEEDS_SCHEMA, "expected_s")
