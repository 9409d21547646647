"""Pools as a table, and each pool as one sentence."""

from __future__ import annotations

from typing import Final

from ..amounts import format_bytes, format_seconds
from ..plurals import count
from ..settings import Burst, Pool, Pools
from ..tasks.pool_doubts import most_per_day
from .table import Table

__all__ = ["pool_sentence", "pools_sheet", "pools_table"]

_COLUMNS = (
    "pool",
    "kind",
    "priority",
    "worker",
    "walltime",
    "workers",
    "tasks in flight",
    "scopes",
    "protocols",
    "cost per GPU-hour",
    "burst",
)

#: Names of the queue systems.
_QUEUES: Final = {
    "slurm": "Slurm",
    "pbs": "PBS",
    "lsf": "LSF",
    "sge": "SGE",
    "htcondor": "HTCondor",
    "oar": "OAR",
    "moab": "Moab",
}

_ALL: Final = "all"
_UNSET: Final = {None, _ALL, 0.0}


def pools_table(pools: Pools) -> Table:
    """Build a table with one row per pool, in order of preference."""
    ordered = sorted(pools.pools.items(), key=lambda item: (item[1].priority, item[1].burst is not None, item[0]))
    return Table(_COLUMNS, [_row(name, pool) for name, pool in ordered])


def pools_sheet(pools: Pools) -> Table:
    """Build a table with one column per pool, for a terminal; rows that no pool sets are omitted."""
    table = pools_table(pools)
    names, *columns = zip(*table.rows, strict=True)
    rows = [
        (header, *("" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells))
        for header, cells in zip(table.columns[1:], columns, strict=True)
        if set(cells) - _UNSET
    ]
    return Table((table.columns[0], *names), rows, is_sheet=True)


def pool_sentence(name: str, pool: Pool) -> str:
    """Describe in one line what a pool does.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    """
    clauses = [f"{name}: {_what(pool)}", f"{_when(pool)} (priority {pool.priority})"]
    if pool.is_queue:
        clauses.append(f"jobs without work end after {format_seconds(pool.idle_s)}")
    if pool.scopes or pool.exclude_scopes:
        clauses.append(f"Scopes {_chosen(pool.scopes, pool.exclude_scopes)}")
    if pool.protocols or pool.exclude_protocols:
        clauses.append(f"Protocols {_chosen(pool.protocols, pool.exclude_protocols)}")
    if pool.gpus and pool.cost_per_gpu_hour:
        clauses.append(f"costs at most {most_per_day(pool):,.0f} a day")
    return "; ".join(clauses)


def _row(name: str, pool: Pool) -> tuple[str | int | float | None, ...]:
    limits = pool.limits
    in_flight = ", ".join(f"{word} {n}" for word, n in (("soft", limits.soft), ("hard", limits.hard)) if n is not None)
    return (
        name,
        pool.kind,
        pool.priority,
        _worker(pool),
        None if pool.walltime_s is None else format_seconds(pool.walltime_s),
        None if pool.is_local else _range(pool),
        in_flight or None,
        _chosen(pool.scopes, pool.exclude_scopes),
        _chosen(pool.protocols, pool.exclude_protocols),
        pool.cost_per_gpu_hour,
        None if pool.burst is None else ", ".join(filter(None, _thresholds(pool.burst))),
    )


def _range(pool: Pool) -> str:
    low, high = pool.limits.minimum, pool.limits.maximum
    return str(high) if low == high else f"{low}-{high}"


def _worker(pool: Pool) -> str:
    cores = "all cores" if pool.cores is None and pool.is_local else count(pool.capacity.cores, "core")
    memory = [] if pool.memory_bytes is None else [format_bytes(pool.memory_bytes)]
    return ", ".join([cores, *memory, *([count(pool.gpus, "GPU")] if pool.gpus else [])])


def _what(pool: Pool) -> str:
    if pool.is_local:
        return f"runs Tasks on this machine, on {_worker(pool)}"
    walltime = "" if pool.walltime_s is None else f" for {format_seconds(pool.walltime_s)}"
    if pool.is_queue:
        where = f"to queue {pool.queue}" if pool.queue else "to the default queue"
        return f"submits {_range(pool)} {_called(pool, pool.limits.maximum)} {where}, each {_worker(pool)}{walltime}"
    runs = _called(pool, pool.limits.maximum)
    where = f"of {pool.kind}" if pool.work_pool is None else f"in the Prefect work pool {pool.work_pool}"
    return f"starts {_range(pool)} {runs} {where}, each {_worker(pool)}{walltime}"


def _called(pool: Pool, number: int) -> str:
    noun = f"{_QUEUES[pool.kind]} job" if pool.is_queue else "worker" if pool.work_pool is None else "flow run"
    return noun if number == 1 else f"{noun}s"


def _when(pool: Pool) -> str:
    opens, budget = ("", "") if pool.burst is None else _thresholds(pool.burst)
    return ", ".join([f"only above {opens}" if opens else "whenever Tasks wait", *([budget] if budget else [])])


def _thresholds(burst: Burst) -> tuple[str, str]:
    opens = []
    if burst.backlog_gpu_hours is not None:
        opens.append(f"{burst.backlog_gpu_hours:g} GPU-hours waiting")
    if burst.oldest_waiting_s is not None:
        opens.append(f"a Task waiting {format_seconds(burst.oldest_waiting_s)}")
    return " or ".join(opens), "" if burst.budget_per_day is None else f"within {burst.budget_per_day:g} a day"


def _chosen(only: tuple[str, ...], but: tuple[str, ...]) -> str:
    return (" ".join(only) or _ALL) + (f" except {' '.join(but)}" if but else "")
