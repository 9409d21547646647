"""The state of Tasks as of one commit, and the events that change it.

Every accepted event carries the resulting state of its Task, so the state is the last row per Task (per Task and
network for actions). Folding the log needs no rules; `status.py` has the rules that decide which events are accepted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from ..schemas import TABLES
from .latest_rows import LatestRows

__all__ = ["ACTION_COLUMNS", "STATE_COLUMNS", "Event", "TaskState", "TaskStates"]

#: Columns of `task_log` that make up the state of a Task.
STATE_COLUMNS = [name for name in TABLES["task_snapshots"].names if name != "as_of_seq"]
#: Columns of `task_log` that make up the state of an action.
ACTION_COLUMNS = [name for name in TABLES["action_snapshots"].names if name != "as_of_seq"]
#: Statuses in which a Task can be actioned.
ACTIONABLE = ("waiting", "running", "error")


@dataclass(frozen=True, slots=True)
class TaskState:
    """State of one Task as of one commit.

    Attributes
    ----------
    scope : str
        Scope of the Task.
    task : str
        ScopedKey.
    transformation : str
        ScopedKey.
    extends : str or None
        ScopedKey of the Task whose result is continued; None if it starts afresh.
    status : str, default "waiting"
        `waiting`, `running`, `complete`, `error`, `invalid` or `deleted`.
    priority : int, default 10
        The lower number is claimed first.
    attempt : str, optional
        Attempt that holds the claim, None if there is no claim.
    pool : str, optional
        Pool of that attempt.
    lease_expires_at : datetime, optional
        End of its lease, UTC, by the clock of its writer.
    """

    scope: str
    task: str
    transformation: str
    extends: str | None
    status: str = "waiting"
    priority: int = 10
    attempt: str | None = None
    pool: str | None = None
    lease_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a Task, with the resulting state.

    Attributes
    ----------
    kind : str
        Such as `claimed` or `completed`.
    after : TaskState
        State of the Task after the event.
    network : str, optional
        ScopedKey of the network of an action; None for events of the Task itself.
    weight : float, optional
        Weight of the action afterwards, within [0, 1]; None if there is none.
    of_attempt : str, optional
        Attempt that the event ends.
    reason : str, optional
        Free text.
    pattern : str, optional
        Restart pattern that decided.
    pattern_seq : int, optional
        Number of the commit that added the pattern.
    """

    kind: str
    after: TaskState
    network: str | None = None
    weight: float | None = None
    of_attempt: str | None = None
    reason: str | None = None
    pattern: str | None = None
    pattern_seq: int | None = None

    def row(self) -> dict[str, Any]:
        """Return the row of `task_log` without what the commit adds (seq, idx, commit_id, actor, at)."""
        after = self.after
        return {
            "scope": after.scope,
            "task": after.task,
            "transformation": after.transformation,
            "extends": after.extends,
            "status": after.status,
            "priority": after.priority,
            "attempt": after.attempt,
            "pool": after.pool,
            "lease_expires_at": after.lease_expires_at,
            "event": self.kind,
            "network": self.network,
            "weight": self.weight,
            "of_attempt": self.of_attempt,
            "reason": self.reason,
            "pattern": self.pattern,
            "pattern_seq": self.pattern_seq,
        }


class TaskStates:
    """State of every Task and every action as of commit `seq`.

    Parameters
    ----------
    seq : int
    tasks : polars.DataFrame
        One row per Task, columns `STATE_COLUMNS`.
    actions : polars.DataFrame
        One row per Task and network on which it was ever actioned, columns `ACTION_COLUMNS`; `weight` is null once
        cancelled.
    """

    __slots__ = ("_actions", "_tasks", "seq")

    def __init__(self, seq: int, tasks: pl.DataFrame | LatestRows, actions: pl.DataFrame | LatestRows) -> None:
        self.seq = seq
        self._tasks = tasks if isinstance(tasks, LatestRows) else LatestRows.of(tasks, "task")
        self._actions = actions if isinstance(actions, LatestRows) else LatestRows.of(actions, "task", "network")

    @property
    def tasks(self) -> pl.DataFrame:
        """Return the state of every Task; after a commit this costs as much as there are Tasks, once."""
        return self._tasks.whole

    @property
    def actions(self) -> pl.DataFrame:
        """Return the state of every action, as `tasks`."""
        return self._actions.whole

    @classmethod
    def empty(cls) -> TaskStates:
        """Return the states of an empty log."""
        return cls(0, _empty("task_snapshots", STATE_COLUMNS), _empty("action_snapshots", ACTION_COLUMNS))

    def advance(self, rows: pl.DataFrame, seq: int) -> TaskStates:
        """Return the states after more rows of the log, all later than `self.seq`; costs as much as these rows.

        Parameters
        ----------
        rows : polars.DataFrame
            Rows of the task log.
        seq : int
            Number of their last commit.
        """
        if not len(rows):
            return TaskStates(seq, self._tasks, self._actions)
        rows = rows.sort("seq", "idx")
        tasks = rows.select(STATE_COLUMNS).unique("task", keep="last", maintain_order=True)
        actions = rows.filter(pl.col("network").is_not_null()).select(ACTION_COLUMNS)
        actions = actions.unique(["task", "network"], keep="last", maintain_order=True)
        changed = self._actions.replaced_by(actions) if len(actions) else self._actions
        return TaskStates(seq, self._tasks.replaced_by(tasks), changed)

    def with_status(self, *statuses: str) -> pl.DataFrame:
        """Return the rows of `tasks` with one of these statuses."""
        return self._tasks.where(pl.col("status").is_in(statuses))

    def of(self, tasks: Collection[str]) -> dict[str, TaskState]:
        """Return the state of each of these Tasks that exists."""
        return _as_states(self._tasks.where(pl.col("task").is_in(list(tasks))))

    def running(self) -> dict[str, TaskState]:
        """Return the state of every running Task."""
        return _as_states(self.with_status("running"))

    def extending(self, tasks: Collection[str]) -> dict[str, TaskState]:
        """Return the state of every Task that extends one of these, directly or indirectly."""
        found: dict[str, TaskState] = {}
        front = set(tasks)
        while front:
            children = _as_states(self._tasks.where(pl.col("extends").is_in(list(front))))
            front = set(children) - set(found)
            found |= children
        return found

    def live_actions(self) -> pl.DataFrame:
        """Return current actions: columns task, network, weight, of Tasks waiting, running or in error."""
        live = self.with_status(*ACTIONABLE)
        return self._actions.where(pl.col("weight").is_not_null()).join(live.select("task"), on="task", how="semi")

    def networks_of(self, tasks: Collection[str]) -> dict[str, dict[str, float]]:
        """Return, for each of these Tasks, the networks it is actioned on with their weights."""
        found: dict[str, dict[str, float]] = {task: {} for task in tasks}
        mine = pl.col("task").is_in(list(tasks))
        live = self._tasks.where(mine & pl.col("status").is_in(ACTIONABLE)).select("task")
        rows = self._actions.where(mine & pl.col("weight").is_not_null()).join(live, on="task", how="semi")
        for task, network, weight in rows.select("task", "network", "weight").iter_rows():
            found[task][network] = weight
        return found

    def cancelled_on(self, network: str) -> set[str]:
        """Return the Tasks whose action on a network was cancelled."""
        cancelled = self._actions.where((pl.col("network") == network) & pl.col("weight").is_null())
        return set(cancelled["task"])

    def claimable(self) -> pl.DataFrame:
        """Return claimable Tasks: waiting, and the Task that they extend, if any, is complete.

        One row per action.

        Columns: task, scope, transformation, extends, priority, network, weight. Actions of weight zero are left out.
        """
        waiting = self.with_status("waiting")
        if waiting["extends"].null_count() < len(waiting):
            done = self.with_status("complete").select(pl.col("task").alias("extends"))
            ready = waiting.join(done, on="extends", how="semi")
            waiting = pl.concat([waiting.filter(pl.col("extends").is_null()), ready])
        actions = self._actions.where(pl.col("weight") > 0).select("task", "network", "weight")
        columns = ["task", "scope", "transformation", "extends", "priority"]
        return waiting.select(columns).join(actions, on="task", how="inner")


def _empty(table: str, columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(TABLES[table].arrow.empty_table()).select(columns)


_FIELDS = list(TaskState.__dataclass_fields__)


def _as_states(frame: pl.DataFrame) -> dict[str, TaskState]:
    states = (TaskState(*row) for row in frame.select(_FIELDS).iter_rows())
    return {state.task: state for state in states}
