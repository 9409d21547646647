"""The state of Tasks as of one commit, and the events that change it.

Every accepted event carries the resulting state of its Task, so the state is the last row per Task (per Task and
network for actions). Folding the log needs no rules; `status.py` has the rules that decide which events are accepted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from ..schemas import TABLES

__all__ = ["ACTION_COLUMNS", "STATE_COLUMNS", "Event", "TaskState", "TaskStates"]

#: Columns of `task_log` that make up the state of a Task.
STATE_COLUMNS = [name for name in TABLES["task_snapshots"].names if name != "as_of_seq"]
#: Columns of `task_log` that make up the state of an action.
ACTION_COLUMNS = [name for name in TABLES["action_snapshots"].names if name != "as_of_seq"]
#: Statuses in which a Task can be actioned.
ACTIONABLE = ("waiting", "running", "error")


@dataclass(frozen=True, slots=True)
class TaskState:
    """State of one Task as of one commit."""

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
    """An event of a Task, with the resulting state."""

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


@dataclass(frozen=True, slots=True)
class TaskStates:
    """State of every Task and every action as of commit `seq`.

    Attributes
    ----------
    seq : int
    tasks : polars.DataFrame
        One row per Task, columns `STATE_COLUMNS`.
    actions : polars.DataFrame
        One row per Task and network on which it was ever actioned, columns `ACTION_COLUMNS`; `weight` is null once
        cancelled.
    """

    seq: int
    tasks: pl.DataFrame
    actions: pl.DataFrame

    @classmethod
    def empty(cls) -> TaskStates:
        """Return the states of an empty log."""
        return cls(0, _empty("task_snapshots", STATE_COLUMNS), _empty("action_snapshots", ACTION_COLUMNS))

    def advance(self, rows: pl.DataFrame, seq: int) -> TaskStates:
        """Return the states after more rows of the log, all later than `self.seq`."""
        if not len(rows):
            return replace(self, seq=seq)
        rows = rows.sort("seq", "idx")
        tasks = rows.select(STATE_COLUMNS).unique("task", keep="last", maintain_order=True)
        actions = rows.filter(pl.col("network").is_not_null()).select(ACTION_COLUMNS)
        actions = actions.unique(["task", "network"], keep="last", maintain_order=True)
        return TaskStates(
            seq,
            pl.concat([self.tasks.join(tasks, on="task", how="anti", maintain_order="left"), tasks]),
            pl.concat([self.actions.join(actions, on=["task", "network"], how="anti", maintain_order="left"), actions])
            if len(actions)
            else self.actions,
        )

    def of(self, tasks: Collection[str]) -> dict[str, TaskState]:
        """Return the state of each of these Tasks that exists."""
        wanted = self.tasks.join(pl.DataFrame({"task": list(tasks)}, schema={"task": pl.String}), on="task", how="semi")
        return _as_states(wanted)

    def running(self) -> dict[str, TaskState]:
        """Return the state of every running Task."""
        return _as_states(self.tasks.filter(pl.col("status") == "running"))

    def extending(self, tasks: Collection[str]) -> dict[str, TaskState]:
        """Return the state of every Task that extends one of these, directly or indirectly."""
        found: dict[str, TaskState] = {}
        front = set(tasks)
        while front:
            children = _as_states(self.tasks.filter(pl.col("extends").is_in(list(front))))
            front = set(children) - set(found)
            found |= children
        return found

    def live_actions(self) -> pl.DataFrame:
        """Return current actions: columns task, network, weight, of Tasks waiting, running or in error."""
        live = self.tasks.filter(pl.col("status").is_in(ACTIONABLE))
        return self.actions.filter(pl.col("weight").is_not_null()).join(live.select("task"), on="task", how="semi")

    def networks_of(self, tasks: Collection[str]) -> dict[str, dict[str, float]]:
        """Return, for each of these Tasks, the networks it is actioned on with their weights."""
        wanted = pl.DataFrame({"task": list(tasks)}, schema={"task": pl.String})
        found: dict[str, dict[str, float]] = {task: {} for task in tasks}
        rows = self.live_actions().join(wanted, on="task", how="semi").select("task", "network", "weight")
        for task, network, weight in rows.iter_rows():
            found[task][network] = weight
        return found

    def cancelled_on(self, network: str) -> set[str]:
        """Return the Tasks whose action on a network was cancelled."""
        cancelled = self.actions.filter((pl.col("network") == network) & pl.col("weight").is_null())
        return set(cancelled["task"])

    def claimable(self) -> pl.DataFrame:
        """Return claimable Tasks: waiting, and the Task that they extend, if any, is complete.

        One row per action.

        Columns: task, scope, transformation, extends, priority, network, weight. Actions of weight zero are left out.
        """
        waiting = self.tasks.filter(pl.col("status") == "waiting")
        if waiting["extends"].null_count() < len(waiting):
            done = self.tasks.filter(pl.col("status") == "complete").select(pl.col("task").alias("extends"))
            ready = waiting.join(done, on="extends", how="semi")
            waiting = pl.concat([waiting.filter(pl.col("extends").is_null()), ready])
        actions = self.actions.filter(pl.col("weight") > 0).select("task", "network", "weight")
        columns = ["task", "scope", "transformation", "extends", "priority"]
        return waiting.select(columns).join(actions, on="task", how="inner")


def _empty(table: str, columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(TABLES[table].arrow.empty_table()).select(columns)


_FIELDS = list(TaskState.__dataclass_fields__)


def _as_states(frame: pl.DataFrame) -> dict[str, TaskState]:
    states = (TaskState(*row) for row in frame.select(_FIELDS).iter_rows())
    return {state.task: state for state in states}
