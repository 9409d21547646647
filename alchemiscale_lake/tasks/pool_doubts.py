"""Settings of pools that are allowed but probably not intended.

Pure rules over settings. `settings` rejects outright mistakes; the caller shows the doubts.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from ..amounts import format_bytes, format_seconds
from ..plurals import count, verb
from ..resources import Resources
from ..settings import ANY_PROTOCOL, Needs, Pool, Pools
from .default_needs import default_needs, needs_of, unit_needs

__all__ = ["Doubt", "doubts", "most_per_day"]

#: With a shorter walltime, jobs spend most of their time in the queue.
_SHORT_WALLTIME_S: Final = 600.0
#: A claim should survive two failed heartbeats.
_HEARTBEATS_PER_LEASE: Final = 3
#: Queues whose syntax for requesting GPUs depends on the site, with an example; for the others we add it.
_GPU_DIRECTIVES: Final = {"sge": "'-l gpu=1'", "oar": "'-l /nodes=1/gpu=1/core=8'"}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A setting that is probably not intended.

    Attributes
    ----------
    key : tuple
        Location, as in `("pools", "cluster", "work_root")`.
    text : str
        The consequence and what to do.
    """

    key: tuple[str, ...]
    text: str


def doubts(pools: Pools) -> tuple[Doubt, ...]:
    """Return settings that are probably not intended, in the order of the file."""
    found: list[Doubt] = []
    for name, pool in pools.pools.items():
        for rule in (_costs, _gpus, _folders, _times, _durations):
            found += [Doubt(("pools", name, key), text) for key, text in rule(pool, pools)]
    return (*found, *_order(pools), *_misspelt(pools), *_homeless(pools), *_shared_memory(pools))


def most_per_day(pool: Pool) -> float:
    """Return the maximum cost of a pool per day, in the currency of `cost_per_gpu_hour`."""
    full = pool.limits.maximum * pool.gpus * pool.cost_per_gpu_hour * 24.0
    budget = None if pool.burst is None else pool.burst.budget_per_day
    return full if budget is None else min(full, budget)


def _costs(pool: Pool, _: Pools) -> Iterator[tuple[str, str]]:
    budget = None if pool.burst is None else pool.burst.budget_per_day
    if pool.cost_per_gpu_hour and not pool.gpus:
        yield "cost_per_gpu_hour", "has no effect, as the pool has no GPUs"
    elif pool.cost_per_gpu_hour and budget is None:
        yield (
            "limits",
            f"{pool.limits.maximum} workers cost {most_per_day(pool):,.0f} a day and there is no budget; "
            "set burst.budget_per_day or a smaller maximum",
        )
    if budget is not None and not pool.cost_per_gpu_hour:
        yield "burst", "budget_per_day is never reached, as cost_per_gpu_hour is 0"
    if (n := pool.limits.minimum) and (pool.cost_per_gpu_hour or pool.burst):
        what = f"{count(n, 'worker')} {verb(n, 'keeps', 'keep')} running, and {verb(n, 'costs', 'cost')} money"
        yield "limits", f"{what}, without work"
    if pool.limits.hard == 0:
        yield "limits", "hard is 0: nothing is ever claimed"


def _gpus(pool: Pool, _: Pools) -> Iterator[tuple[str, str]]:
    asks = next((line for line in pool.directives if "gpu" in line.lower()), None)
    if pool.gpus and pool.kind in _GPU_DIRECTIVES and not any("gpu" in line.lower() for line in pool.directives):
        yield "gpus", f"no directive asks the queue for a GPU; add one, as in {_GPU_DIRECTIVES[pool.kind]}"
    if not pool.gpus and asks:
        yield "gpus", f"is 0 although the directive {asks!r} seems to request one: no Task gets a GPU; set the number"
    elif not pool.gpus and "gpu" in (pool.queue or "").lower():
        yield (
            "gpus",
            (
                f"is 0, so jobs ask for no GPU, although the name of queue {pool.queue!r} suggests one; "
                "set gpus if Tasks need them"
            ),
        )
    if pool.gpus and pool.cores is not None and pool.cores < pool.gpus:
        yield "cores", "fewer than GPUs: a Task on a GPU takes a core, so some GPUs stay idle"


def _folders(pool: Pool, _: Pools) -> Iterator[tuple[str, str]]:
    if not pool.is_queue:
        return
    if pool.work_root is None:
        yield (
            "work_root",
            "is not set: with a lake in a bucket, work in progress is on the node and is lost with the job; "
            "set a folder that all nodes share",
        )
    elif pool.work_root.startswith(("/tmp", "/var/tmp", "/dev/shm")):
        yield "work_root", f"{pool.work_root} is local to each node: no other job can continue the work left there"


def _times(pool: Pool, _: Pools) -> Iterator[tuple[str, str]]:
    if pool.lease_s < _HEARTBEATS_PER_LEASE * pool.heartbeat_s:
        yield "lease", f"is shorter than {_HEARTBEATS_PER_LEASE} heartbeats: one late heartbeat loses a Task"
    if pool.timeout_s is not None and pool.stuck_after_s is not None and pool.stuck_after_s >= pool.timeout_s:
        yield "stuck_after", "is never reached, as the timeout is shorter"
    if pool.walltime_s is None:
        return
    if pool.walltime_s < _SHORT_WALLTIME_S:
        yield "walltime", f"{format_seconds(pool.walltime_s)} is short; a number without unit is seconds"
    if pool.timeout_s is not None and pool.timeout_s >= pool.walltime_s - pool.retire_before_s:
        yield "timeout", "is never reached, as the job retires earlier"


def _durations(pool: Pool, pools: Pools) -> Iterator[tuple[str, str]]:
    if pool.walltime_s is None:
        return
    room_s = pool.walltime_s - pool.retire_before_s
    for name, needs in pools.protocols.items():
        if needs.duration_s is not None and needs.duration_s > room_s and pool.runs_protocol(name):
            yield (
                "walltime",
                f"a Task of {name} is declared to take {format_seconds(needs.duration_s)} and the job allows "
                f"{format_seconds(room_s)}: none will start here",
            )


def _order(pools: Pools) -> Iterator[Doubt]:
    owned = [pool.priority for pool in pools.pools.values() if pool.burst is None]
    for name, pool in pools.pools.items():
        if pool.burst is None:
            continue
        if not owned:
            yield Doubt(("pools", name, "burst"), "every pool has burst: Tasks wait until a threshold is exceeded")
        elif pool.priority <= min(owned):
            yield Doubt(("pools", name, "priority"), f"{pool.priority} precedes every pool without burst")


def _misspelt(pools: Pools) -> Iterator[Doubt]:
    for name, pool in pools.pools.items():
        for key, classes in (("protocols", pool.protocols), ("exclude_protocols", pool.exclude_protocols)):
            yield from _close(classes, ("pools", name, key), default_needs().protocols)
    yield from _close(pools.protocols, ("protocols",), default_needs().protocols)
    yield from _close(pools.units, ("units",), default_needs().units)


def _close(classes: Collection[str], key: tuple[str, ...], known: Collection[str]) -> Iterator[Doubt]:
    for name in classes:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if name not in known and near:
            yield Doubt((*key, name), f"{name} is unknown; did you mean {near[0]}?")


def _homeless(pools: Pools) -> Iterator[Doubt]:
    """Yield declared needs that no worker can meet."""
    for name in pools.protocols:
        needs = needs_of(pools, name).resources
        homes = [pool for pool in pools.pools.values() if name == ANY_PROTOCOL or pool.runs_protocol(name)]
        if not any(_may_fit(needs, pool) for pool in homes):
            yield Doubt(("protocols", name), f"{_said(needs)} exceed every worker that may run it; it will never start")
    taken = unit_needs(pools)
    for name in pools.units:
        if not any(_may_fit(taken[name], pool) for pool in pools.pools.values()):
            yield Doubt(("units", name), f"{_said(taken[name])} exceed every worker; it will never start")


def _may_fit(needs: Resources, pool: Pool) -> bool:
    # the cores of this machine are unknown here
    cores = needs.cores if pool.cores is None and pool.is_local else pool.capacity.cores
    return needs.fits_in(Resources(cores, pool.memory_bytes, float(pool.gpus)))


def _said(needs: Resources) -> str:
    memory = "" if needs.memory_bytes is None else f", {format_bytes(needs.memory_bytes)}"
    return f"{needs.cores} cores{memory} and {needs.gpus:g} GPUs"


def _shared_memory(pools: Pools) -> Iterator[Doubt]:
    def shares(needs: Needs) -> bool:
        return 0 < needs.gpus < 1 and needs.memory_bytes is None

    for name in pools.protocols:
        if shares(needs_of(pools, name)):
            yield Doubt(
                ("protocols", name), "Tasks share a GPU and their memory is not counted; set memory, so that all fit"
            )
