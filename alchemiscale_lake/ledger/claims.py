"""Claims: Tasks given to a pool as attempts, believed as long as their lease is renewed."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from ..ids import Scope, new_attempt_id
from ..store import Lake, now_utc
from ..tasks import Event, TaskState, TaskStates, choose, status

__all__ = [
    "Claim",
    "Selection",
    "claim_tasks",
    "end_claims",
    "orphaned_attempts",
    "process_is_gone",
    "process_name",
    "renew_leases",
]


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at one Task."""

    attempt: str
    task: str
    transformation: str
    scope: str
    extends: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which Tasks are meant: those in these Scopes (all, if none) on these networks (all, if none)."""

    scopes: tuple[Scope, ...] = ()
    networks: tuple[str, ...] = ()

    def of_scope(self, scope: str) -> bool:
        """Whether a Scope is among those meant."""
        return not self.scopes or any(s.is_superset(Scope.from_str(scope)) for s in self.scopes)

    def tasks(self, states: TaskStates) -> pl.DataFrame:
        """Return the rows of `states.tasks` that are meant."""
        rows = states.tasks
        if self.scopes:
            rows = rows.filter(pl.col("scope").is_in([s for s in rows["scope"].unique() if self.of_scope(s)]))
        if self.networks:
            on = states.actions.filter(pl.col("network").is_in(list(self.networks)))
            rows = rows.join(on.select("task").unique(), on="task", how="semi")
        return rows


def claim_tasks(
    lake: Lake,
    pool: str,
    count: int,
    *,
    lease_s: float,
    actor: str,
    selection: Selection | None = None,
    rng: np.random.Generator | None = None,
) -> list[Claim]:
    """Claim up to `count` Tasks for a pool, by the rules of `tasks.claiming`.

    Two callers never get the same Task: the claim is decided in sight of the very state it lands on.

    Returns
    -------
    list of Claim
        In the order drawn; empty if nothing may be claimed.
    """
    selection = selection or Selection()
    rng = rng or np.random.default_rng()
    attempts = [new_attempt_id() for _ in range(count)]
    decided = lake.network_log.states()

    def decide(states: TaskStates) -> list[Event]:
        candidates = states.claimable()
        if selection.networks:
            candidates = candidates.filter(pl.col("network").is_in(list(selection.networks)))
        if selection.scopes:
            scopes = [s for s in candidates["scope"].unique() if selection.of_scope(s)]
            candidates = candidates.filter(pl.col("scope").is_in(scopes))
        weights = dict.fromkeys(candidates["network"].unique(), 0.5)
        weights |= {n: s.weight if s.state == "active" else 0.0 for n, s in decided.items() if n in weights}
        drawn = choose(candidates, weights, count, rng)
        until = now_utc() + timedelta(seconds=lease_s)
        known = states.of(drawn)
        events = (status.claim(known[t], a, pool, until) for t, a in zip(drawn, attempts, strict=False))
        return [e for e in events if isinstance(e, Event)]

    if count < 1:
        return []
    landed = lake.task_log.commit(decide, actor=actor)
    return [_claim(event.after) for event in landed.events]


def renew_leases(lake: Lake, attempts: Mapping[str, str], *, lease_s: float, actor: str) -> set[str]:
    """Renew the leases of attempts (attempt -> Task) and return those that no longer hold their Task."""
    lost: set[str] = set()

    def decide(states: TaskStates) -> list[Event]:
        lost.clear()
        until = now_utc() + timedelta(seconds=lease_s)
        known = states.of(attempts.values())
        events = []
        for attempt, task in attempts.items():
            done = status.renew(known[task], attempt, until) if task in known else None
            if isinstance(done, Event):
                events.append(done)
            else:
                lost.add(attempt)
        return events

    if attempts:
        lake.task_log.commit(decide, actor=actor)
    return lost


def end_claims(lake: Lake, attempts: Mapping[str, str], *, actor: str, reason: str | None = None) -> int:
    """Give claims (attempt -> Task) back: with a reason they are released, without they must have expired."""

    def decide(states: TaskStates) -> list[Event]:
        now = now_utc()
        known = states.of(attempts.values())
        events = []
        for attempt, task in attempts.items():
            state = known.get(task)
            if state is None or state.attempt != attempt:
                continue
            done = status.expire(state, now) if reason is None else status.release(state, attempt, reason)
            events += [done] if isinstance(done, Event) else []
        return events

    return len(lake.task_log.commit(decide, actor=actor).events) if attempts else 0


def orphaned_attempts(lake: Lake, running: Collection[TaskState]) -> dict[str, str]:
    """Find attempts (attempt -> Task) whose claimer is a process of this machine that has ended."""
    attempts = {state.attempt: state.task for state in running if state.attempt is not None}
    if not attempts:
        return {}
    rows = (
        lake.table("task_log")
        .scan()
        .filter((pl.col("event") == "claimed") & pl.col("of_attempt").is_in(list(attempts)))
        .select("of_attempt", "actor")
        .collect()
    )
    return {attempt: attempts[attempt] for attempt, actor in rows.iter_rows() if process_is_gone(actor)}


def process_name(role: str) -> str:
    """Name this process so that others on the machine can tell whether it is still there."""
    return "@".join([role, f"{os.getpid()}.{_started(os.getpid())}", _machine()])


def process_is_gone(name: str) -> bool:
    """Whether the process of that name has ended; False if it belongs to another machine."""
    role, _, rest = name.partition("@")
    process, _, machine = rest.partition("@")
    pid, _, started = process.partition(".")
    if not role or machine != _machine() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _machine() -> str:
    """Name this machine, this boot of it and this process namespace."""
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


def _claim(state: TaskState) -> Claim:
    assert state.attempt is not None
    return Claim(state.attempt, state.task, state.transformation, state.scope, state.extends)
