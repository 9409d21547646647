"""Which flow runs have waited or been silent for too long: what Prefect says of them does not change any more.

Rules and clocks; what is done about it is in `_work_pool.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from alchemiscale_lake.execution import AttemptSpec
from alchemiscale_lake.execution.heartbeat import read_beat
from alchemiscale_lake.store import Lake, now_utc

from ._flow_runs import SeenRun

__all__ = ["Listener", "Overdue", "Patience", "overdue"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often Prefect is asked, and how long is waited for what does not move.

    Parameters
    ----------
    look_s : float
        Between two looks at the flow runs.
    scheduled_s : float
        A flow run that no worker takes for so long is given back.
    submitting_s : float
        One that a worker took and has not started since is lost: the worker was killed.
    unschedulable_s : float
        One whose pod finds no node is given back.
    silent_s : float
        One that runs, says Prefect, while its Tasks give no sign of life is lost.
    confirm_s : float
        After so long the silence is listened to once more: the flow run may just have been ending.
    refused_s : float
        After a flow run that could not start nothing is submitted for so long; doubled each time.
    """

    look_s: float = 2.0
    scheduled_s: float = 900.0
    submitting_s: float = 600.0
    unschedulable_s: float = 3600.0
    silent_s: float = 600.0
    confirm_s: float = 60.0
    refused_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Overdue:
    """Why a flow run that waits is given up.

    Attributes
    ----------
    kind : str
        evicted: its pod was told to go, its Tasks were given back, and Prefect would start it anew.
        unclaimed: no worker took it. unsubmitted: one took it and did no more. unschedulable: its pod waits for a node.
    reason : str
        For people.
    """

    kind: Literal["evicted", "unclaimed", "unsubmitted", "unschedulable"]
    reason: str


def overdue(run: SeenRun, now: datetime, patience: Patience) -> Overdue | None:
    """Tell whether, and why, a flow run that has not begun is not to be waited for any longer."""
    waited_s = (now - run.since).total_seconds()
    if run.state in ("SCHEDULED", "PENDING") and run.n_starts:
        return Overdue("evicted", "its pod was evicted")
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
    """Listens for signs of life of flow runs that are said to run.

    A process or node that is gone takes with it who would have told Prefect.

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
        """Whether nothing has been heard for long, twice.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        silent = timedelta(seconds=self._patience.silent_s)
        # of the server's clock: one that is off has its flow runs listened to sooner or later, and twice in any case
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
        """For how long the beats have not moved, by the clock here and not by that of whoever dated them.

        Without a beat there is nothing to wait for.
        """
        now = time.monotonic()
        before = self._beats.get(run)
        self._beats[run] = before if before is not None and before[0] == beats else (beats, now)
        return now - self._beats[run][1] if beats else math.inf

    def forget_all_but(self, ids: Collection[UUID]) -> None:
        """Drop what is remembered of flow runs that have ended."""
        self._next_at = {run: at for run, at in self._next_at.items() if run in ids}
        self._beats = {run: seen for run, seen in self._beats.items() if run in ids}
        self._suspected.intersection_update(ids)
