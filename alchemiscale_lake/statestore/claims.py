"""Claims: Tasks assigned to a pool as attempts, valid while their lease is renewed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import psutil

from ..caller import Caller
from ..ids import Scope, new_attempt_id
from ..store import Lake, NetworkState, collect, now_utc
from ..tasks import Event, TaskState, TaskStates, choose, status

__all__ = [
    "LONGEST_LEASE_S",
    "Claim",
    "Selection",
    "change_claims",
    "claim_chosen",
    "claim_of",
    "claim_tasks",
    "claimers",
    "lease_durations_s",
    "network_weights",
    "process_is_gone",
    "process_name",
]

#: Maximum time for which a lease is watched before it counts as expired.
LONGEST_LEASE_S: Final = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt of one Task.

    Attributes
    ----------
    attempt : str
        Identifier of the new attempt.
    task : str
        ScopedKey.
    transformation : str
        ScopedKey.
    scope : str
        Scope of the Task.
    extends : str or None
        ScopedKey of the Task whose result is continued; None if it starts afresh.
    """

    attempt: str
    task: str
    transformation: str
    scope: str
    extends: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection of Tasks: Scopes (default: all), networks (default: all), and exceptions.

    Attributes
    ----------
    scopes : tuple of Scope
    networks : tuple of str
        ScopedKeys.
    without : frozenset of str
        Transformations (ScopedKeys) whose Tasks are excluded.
    """

    scopes: tuple[Scope, ...] = ()
    networks: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    def of_scope(self, scope: str) -> bool:
        """Return whether a Scope is selected."""
        return not self.scopes or any(s.is_superset(Scope.from_str(scope)) for s in self.scopes)

    def candidates(self, claimable: pl.DataFrame) -> pl.DataFrame:
        """Return the selected rows of `TaskStates.claimable`."""
        if self.networks:
            claimable = claimable.filter(pl.col("network").is_in(list(self.networks)))
        if self.without:
            claimable = claimable.filter(~pl.col("transformation").is_in(list(self.without)))
        if self.scopes:
            scopes = [s for s in claimable["scope"].unique() if self.of_scope(s)]
            claimable = claimable.filter(pl.col("scope").is_in(scopes))
        return claimable

    def tasks(self, states: TaskStates) -> pl.DataFrame:
        """Return the selected rows of `states.tasks`."""
        rows = states.tasks
        if self.without:
            rows = rows.filter(~pl.col("transformation").is_in(list(self.without)))
        if self.scopes:
            rows = rows.filter(pl.col("scope").is_in([s for s in rows["scope"].unique() if self.of_scope(s)]))
        if self.networks:
            on = states.actions.filter(pl.col("network").is_in(list(self.networks)))
            rows = rows.join(on.select("task").unique(), on="task", how="semi")
        return rows

    def waiting(self, states: TaskStates) -> pl.DataFrame:
        """Return the selected Tasks that wait and are actioned: not those that were cancelled or never actioned."""
        on = states.actions.filter(pl.col("weight") > 0)
        if self.networks:
            on = on.filter(pl.col("network").is_in(list(self.networks)))
        rows = self.tasks(states).filter(pl.col("status") == "waiting")
        return rows.join(on.select("task").unique(), on="task", how="semi")


def claim_tasks(
    lake: Lake,
    pool: str,
    count: int,
    *,
    lease_s: float,
    caller: Caller,
    selection: Selection | None = None,
    rng: np.random.Generator | None = None,
) -> list[Claim]:
    """Claim up to `count` Tasks for a pool, by the rules of `tasks.claiming` alone.

    Parameters
    ----------
    lake : Lake
    pool : str
        Name of the pool that will run them.
    count : int
        Largest number of Tasks to claim.
    lease_s : float
        Duration of the leases, s.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    selection : Selection, optional
        Tasks to consider; by default, all of the lake.
    rng : numpy.random.Generator, optional
        Source of the draws among networks and Tasks; by default, seeded by the system.

    Returns
    -------
    list of Claim
        In the order drawn; empty if nothing can be claimed.
    """
    selection = selection or Selection()
    rng = rng or np.random.default_rng()

    def chosen(states: TaskStates) -> list[str]:
        # read after the Tasks: a network that becomes inactive is recorded before its Tasks are released
        networks = lake.network_log.states()
        candidates = selection.candidates(states.claimable())
        return choose(candidates, network_weights(candidates, networks), count, rng)

    return claim_chosen(lake, pool, chosen, lease_s=lease_s, caller=caller) if count > 0 else []


def claim_chosen(
    lake: Lake, pool: str, chosen: Callable[[TaskStates], Sequence[str]], *, lease_s: float, caller: Caller
) -> list[Claim]:
    """Claim the Tasks that `chosen` selects from the current states.

    Two callers never get the same Task: the states are still current when the claim is committed.

    Parameters
    ----------
    lake : Lake
    pool : str
        Name of the pool that will run them.
    chosen : callable
        Called again after every lost race.
    lease_s : float
        Duration of the leases, s.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    """

    def decide(states: TaskStates) -> list[Event]:
        tasks = chosen(states)
        until = now_utc() + timedelta(seconds=lease_s)
        known = states.of(tasks)
        events = (status.claim(known[task], new_attempt_id(), pool, until) for task in tasks)
        return [e for e in events if isinstance(e, Event)]

    landed = lake.task_log.commit(decide, caller=caller)
    return [claim_of(event.after) for event in landed.events]


def network_weights(candidates: pl.DataFrame, networks: Mapping[str, NetworkState]) -> dict[str, float]:
    """Return the weights for drawing the networks of these candidates; 0 for one that is not active.

    Parameters
    ----------
    candidates : polars.DataFrame
        Claimable actions, with a column `network`.
    networks : mapping of str to NetworkState
        By ScopedKey; a network that is not listed is active with the default weight.
    """
    weights = dict.fromkeys(candidates["network"].unique().sort(), NetworkState().weight)
    return weights | {n: s.weight if s.state == "active" else 0.0 for n, s in networks.items() if n in weights}


def change_claims(
    lake: Lake,
    *,
    release: Mapping[str, tuple[str, str]],
    expire: Collection[TaskState] = (),
    renew: Mapping[str, str] | None = None,
    lease_s: float = 0.0,
    caller: Caller,
) -> int:
    """Release, expire and renew claims in one commit; return how many were released or expired.

    A claim that its attempt no longer holds is skipped.

    Parameters
    ----------
    lake : Lake
    release : mapping
        Attempt -> Task and reason.
    expire : collection of TaskState
        Running Tasks whose leases ran out while they were watched; one that was renewed after the given state is kept.
    renew : mapping, optional
        Attempt -> Task.
    lease_s : float
        Duration of the renewed leases.
    caller : Caller
    """
    renew = renew or {}

    def decide(states: TaskStates) -> list[Event]:
        tasks = {task for task, _ in release.values()} | set(renew.values()) | {state.task for state in expire}
        known, until = states.of(tasks), now_utc() + timedelta(seconds=lease_s)
        done = [
            *(status.release(known[task], attempt, why) for attempt, (task, why) in release.items() if task in known),
            *(status.expire(known[state.task], state) for state in expire if state.task in known),
            *(status.renew(known[task], attempt, until) for attempt, task in renew.items() if task in known),
        ]
        return [event for event in done if isinstance(event, Event)]

    if not (release or expire or renew):
        return 0
    return sum(event.kind != "renewed" for event in lake.task_log.commit(decide, caller=caller).events)


def lease_durations_s(lake: Lake, running: Collection[TaskState]) -> dict[str, float]:
    """Return the duration of the lease of each of these attempts, from the time it was written.

    The expiry of a lease and the time of writing are from one clock, that of its writer, so their difference is valid
    on any machine.

    Parameters
    ----------
    lake : Lake
    running : collection of TaskState
        States of Tasks with a claim.
    """
    attempts = [state.attempt for state in running if state.attempt is not None]
    if not attempts:
        return {}
    given = pl.col("event").is_in(["claimed", "renewed"]) & pl.col("of_attempt").is_in(attempts)
    log = lake.table("task_log").scan().filter(given)
    rows = collect(log.select("of_attempt", "seq", "at", "lease_expires_at"), "leases").sort("seq")
    found = {a: (until - at).total_seconds() for a, _, at, until in rows.iter_rows() if until is not None}
    # if the clock was set in between, do not wait for ever
    return {attempt: min(max(found.get(attempt, LONGEST_LEASE_S), 0.0), LONGEST_LEASE_S) for attempt in attempts}


def claimers(lake: Lake, running: Collection[TaskState]) -> dict[str, tuple[str, datetime]]:
    """Return who claimed each of these attempts, and when.

    Parameters
    ----------
    lake : Lake
    running : collection of TaskState
        States of Tasks with a claim.
    """
    attempts = [state.attempt for state in running if state.attempt is not None]
    if not attempts:
        return {}
    claimed = (pl.col("event") == "claimed") & pl.col("of_attempt").is_in(attempts)
    log = lake.table("task_log").scan().filter(claimed).select("of_attempt", "actor", "at")
    rows = collect(log, "claims")
    return {attempt: (actor, at) for attempt, actor, at in rows.iter_rows()}


def process_name(role: str) -> str:
    """Return a name of this process by which others on the machine can check whether it still runs."""
    return "@".join([role, f"{os.getpid()}.{_started(os.getpid())}", _machine()])


def process_is_gone(name: str) -> bool:
    """Return whether the process with this name has ended; False if it is on another machine."""
    role, _, rest = name.partition("@")
    process, _, machine = rest.partition("@")
    pid, _, started = process.partition(".")
    if not role or machine != _machine() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _machine() -> str:
    """Return an identifier of this machine, its current boot and this process namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    boot_id = boot.read_text().strip()[:8] if boot.exists() else ""
    return "/".join([socket.gethostname(), boot_id, str(namespace.readlink()) if namespace.exists() else ""])


def _started(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(int(process.create_time() * 100))
    except psutil.NoSuchProcess:
        return ""


def claim_of(state: TaskState) -> Claim:
    """Return the claim that holds a running Task."""
    assert state.attempt is not None
    return Claim(state.attempt, state.task, state.transformation, state.scope, state.extends)
