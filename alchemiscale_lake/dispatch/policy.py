"""The claiming policy of one pool on one lake.

The rules are in `tasks/policy.py`, their inputs from `policy_inputs.py`. `refresh` does all slow reads before
a claim; `admit` is called during the claim and reads nothing, except for new Transformations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import polars as pl

from ..costs.forecast import Forecast
from ..settings import Pools
from ..statestore.network_state import on_active_networks
from ..store import Lake, NetworkState, now_utc
from ..tasks.policy import Admission, Situation, admit
from ..tasks.states import TaskStates
from .policy_inputs import PolicyInputs

__all__ = ["AllTasks", "Policy", "PoolPolicy", "policy_for"]

#: A pool that had capacity for Tasks left to it, but took none for this long, is no longer waited for.
_PATIENCE: Final = timedelta(minutes=10)


class Policy(Protocol):
    """Decides what a pool may claim."""

    def refresh(self) -> None:
        """Reload slow data if due."""

    def admit(self, states: TaskStates, networks: Mapping[str, NetworkState]) -> Admission:
        """Decide what may be claimed, given these states. Writes nothing; may be called repeatedly.

        Parameters
        ----------
        states : TaskStates
            States of all Tasks.
        networks : mapping of str to NetworkState
            By ScopedKey; a network that is not listed is active with the default weight.
        """


class AllTasks:
    """The policy without a pools file: every Task that waits on an active network."""

    def refresh(self) -> None:
        """Do nothing: there is nothing to read."""

    def admit(self, states: TaskStates, networks: Mapping[str, NetworkState]) -> Admission:
        """Admit all Tasks.

        Parameters
        ----------
        states : TaskStates
            States of all Tasks.
        networks : mapping of str to NetworkState
            By ScopedKey; a network that is not listed is active with the default weight.
        """
        return Admission(on_active_networks(states.claimable(), networks))


def policy_for(lake: Lake, pools: Pools | None, pool: str, *, forecast: Forecast | None = None) -> Policy:
    """Return the policy of a pool from the file, or the one that admits all Tasks if there is no file.

    Parameters
    ----------
    lake : Lake
    pools : Pools or None
        The pools file; None if there is none.
    pool : str
        Name of the pool.
    forecast : Forecast, optional
        As for `PoolPolicy`.
    """
    return AllTasks() if pools is None else PoolPolicy(lake, pools, pool, forecast=forecast)


class PoolPolicy:
    """The policy of a pool of `pools.yaml`. Not thread-safe.

    Parameters
    ----------
    lake : Lake
    pools : Pools
    pool : str
        The pool that claims.
    forecast : Forecast, optional
        An existing forecast to share.
    clock : callable
        Returns the current time in UTC.

    Raises
    ------
    SettingsError
        If the file has no such pool.
    """

    def __init__(
        self,
        lake: Lake,
        pools: Pools,
        pool: str,
        *,
        forecast: Forecast | None = None,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        pools.named(pool)
        self._pools, self._pool, self._clock = pools, pool, clock
        self._inputs = PolicyInputs(lake, pools, forecast)
        self._patience = _Patience()

    def refresh(self) -> None:
        """Read forecasts, reports of other pools, and, where a threshold needs them, spending and ages.

        Does nothing if called within 15 s of the last read; call it before every claim.
        """
        self._inputs.refresh(self._clock())

    def admit(self, states: TaskStates, networks: Mapping[str, NetworkState]) -> Admission:
        """Decide what the pool may claim, given these states; call `refresh` first.

        Parameters
        ----------
        states : TaskStates
        networks : mapping
            State of every network with a decision; all others are active.
        """
        now = self._clock()
        candidates = self._inputs.candidates(states, networks)
        running = self._inputs.running(states)
        situation = self._inputs.situation(running, now, heard=(self._pool,))
        situation = self._patience.applied(situation, running)
        admission = admit(self._pools, self._pool, candidates, running, situation)
        self._patience.note(admission.left_to, running, now)
        return admission


class _Patience:
    """Tracks how long pools have not taken the Tasks left to them.

    A pool is skipped after that, until it starts or ends a Task.
    """

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, datetime]] = {}

    def note(self, left_to: Mapping[str, int], running: pl.DataFrame, now: datetime) -> None:
        """Record the Tasks left to each pool, and those running there."""
        marks = {pool: _mark(running, pool) for pool in left_to}
        spent = {pool for pool in self._since if self._is_spent(pool, running, now)}
        self._since = {
            pool: since for pool, since in self._since.items() if pool in spent or marks.get(pool) == since[0]
        }
        self._since |= {pool: (mark, now) for pool, mark in marks.items() if pool not in self._since}

    def applied(self, situation: Situation, running: pl.DataFrame) -> Situation:
        """Mark skipped pools as having no reporting dispatcher."""
        spent = {pool for pool in self._since if self._is_spent(pool, running, situation.now)}
        views = {n: replace(view, heard=view.heard and n not in spent) for n, view in situation.views.items()}
        return replace(situation, views=views)

    def _is_spent(self, pool: str, running: pl.DataFrame, now: datetime) -> bool:
        mark, since = self._since[pool]
        return mark == _mark(running, pool) and now - since > _PATIENCE


def _mark(running: pl.DataFrame, pool: str) -> int:
    """Return a number that changes whenever a pool starts or ends a Task."""
    return int(running.filter(pl.col("pool") == pool)["attempt"].hash().sum() or 0)
