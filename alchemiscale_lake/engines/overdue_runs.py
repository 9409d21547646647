"""Detection of flow runs that have waited or sent no heartbeat for too long, whose Prefect state is stuck.

Rules and clocks; `work_pool` acts on them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from ..execution import AttemptSpec
from ..execution.heartbeat import read_beat
from ..store import Lake, now_utc
from .flow_runs import SeenRun

__all__ = ["Listener", "Overdue", "Patience", "overdue"]


@dataclass(frozen=True, slots=True)
class Patience:
    """Polling interval and time limits for stuck flow runs.

    Parameters
    ----------
    look_s : float
        Interval between two queries of the flow runs.
    scheduled_s : float
        A flow run that no worker takes within this time is released.
    submitting_s : float
        A flow run that a worker took but did not start within this time is lost: the worker was killed.
    unschedulable_s : float
        A flow run whose pod finds no node within this time is released.
    cancelling_s : float
        A flow run that was cancelled before it started and has not ended within this time is ended: Prefect leaves
        it as it is if its worker was just starting it.
    silent_s : float
        A flow run that Prefect reports as running, but whose Tasks send no heartbeat for this time, is lost.
    confirm_s : float
        Time until the missing heartbeat is checked again: the flow run may just have been ending.
    refused_s : float
        Pause of submissions after a flow run that could not start; doubled each time.
    """

    look_s: float = 2.0
    scheduled_s: float = 900.0
    submitting_s: float = 600.0
    unschedulable_s: float = 3600.0
    cancelling_s: float = 60.0
    silent_s: float = 600.0
    confirm_s: float = 60.0
    refused_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Overdue:
    """Reason to give up a waiting flow run.

    Attributes
    ----------
    kind : str
        evicted: its pod was evicted, its Tasks were released, and Prefect would start it again.
        cancelled: it was cancelled while its worker was starting it, and Prefect waits for it to end.
        unclaimed: no worker took it. unsubmitted: a worker took it but did not start it. unschedulable: its pod waits
        for a node.
    reason : str
        Description for the user.
    """

    kind: Literal["evicted", "cancelled", "unclaimed", "unsubmitted", "unschedulable"]
    reason: str


def overdue(run: SeenRun, now: datetime, patience: Patience) -> Overdue | None:
    """Return why a flow run that has not started is given up; None if it is not.

    Parameters
    ----------
    run : SeenRun
        Flow run as last seen.
    now : datetime
        Time, UTC, at which ages and limits are judged.
    patience : Patience
        Time limits.
    """
    waited_s = (now - run.since).total_seconds()
    if run.state in ("SCHEDULED", "PENDING") and run.n_starts:
        return Overdue("evicted", "its pod was evicted")
    if run.state == "CANCELLING" and not run.n_starts and waited_s > patience.cancelling_s:
        return Overdue("cancelled", "its flow run was cancelled before it started")
    if run.state == "SCHEDULED" and waited_s > patience.scheduled_s:
        return Overdue("unclaimed", f"no worker took its flow run for {waited_s:.0f} s")
    if run.state != "PENDING":
        return None
    if run.state_name == "InfrastructurePending":
        if waited_s > patience.unschedulable_s:
            return Overdue("unschedulable", f"its pod found no node for {waited_s:.0f} s")
        return None
    if waited_s > patience.submitting_s:
        return Overdue("unsubmitted", f"the worker that took its flow run did not start it for {waited_s:.0f} s")
    return None


class Listener:
    """Checks the heartbeats of flow runs that Prefect reports as running.

    When a process or node is lost, nothing reports that to Prefect.

    Parameters
    ----------
    lake : Lake
    patience : Patience
    """

    def __init__(self, lake: Lake, patience: Patience) -> None:
        self._lake, self._patience = lake, patience
        self._next_at: dict[UUID, float] = {}
        self._beats: dict[UUID, tuple[frozenset[datetime], float]] = {}
        self._suspected: set[UUID] = set()

    def is_silent(self, run: SeenRun, specs: Sequence[AttemptSpec]) -> bool:
        """Return whether no heartbeat was seen for too long, in two checks.

        Parameters
        ----------
        run : SeenRun
            Flow run as last seen.
        specs : sequence of AttemptSpec
            Its attempts.

        Raises
        ------
        StorageError
            If the lake does not respond.
        """
        silent = timedelta(seconds=self._patience.silent_s)
        # `since` is the server's clock: if it is off, the checks start earlier or later, but there are always two
        if not specs or now_utc() - run.since <= silent or time.monotonic() < self._next_at.get(run.id, 0.0):
            return False
        beats = (read_beat(self._lake, spec.scope, spec.attempt) for spec in specs)
        if self._unmoved_s(run.id, frozenset(beat.at for beat in beats if beat is not None)) <= silent.total_seconds():
            self._suspected.discard(run.id)
            self._next_at[run.id] = time.monotonic() + self._patience.silent_s / 5
            return False
        if run.id in self._suspected:
            return True
        self._suspected.add(run.id)
        self._next_at[run.id] = time.monotonic() + self._patience.confirm_s
        return False

    def _unmoved_s(self, run: UUID, beats: frozenset[datetime]) -> float:
        """Return how long the heartbeats have not changed, by the local clock, not by that of their writer.

        Without a heartbeat, the time is infinite.
        """
        now = time.monotonic()
        before = self._beats.get(run)
        self._beats[run] = before if before is not None and before[0] == beats else (beats, now)
        return now - self._beats[run][1] if beats else math.inf

    def forget_all_but(self, ids: Collection[UUID]) -> None:
        """Remove the records of flow runs that have ended."""
        self._next_at = {run: at for run, at in self._next_at.items() if run in ids}
        self._beats = {run: seen for run, seen in self._beats.items() if run in ids}
        self._suspected.intersection_update(ids)
